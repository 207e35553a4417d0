/**
 * Does what comes in at any time, one round of work after another. Whoever wakes it gets a round that begins afterwards, also when he does so
 * while a round is about to end: with `running ??= work().finally(() => (running = undefined))` a few steps of the microtask queue lie between
 * the last look for work and the moment from which new work starts a new round, and what came in between lay there until something else came.
 */
export class Pump {
  readonly #round: () => Promise<void>;
  #woken = false;
  #running: Promise<void> | undefined;

  /** @param round does everything there is to do; it should not reject: whoever waits then gets the error, and the work rests until the next wake */
  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** There is something to do. Resolves when nothing is left of it. */
  wake(): Promise<void> {
    this.#woken = true;
    return (this.#running ??= this.#run());
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    // Whoever wakes it in the same turn shares the round, the round itself included.
    await Promise.resolve();
    try {
      while (this.#woken) {
        this.#woken = false;
        await this.#round();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
