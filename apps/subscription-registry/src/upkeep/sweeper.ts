const EVERY_MS = 600_000;

/** Clears away, now and then, what nothing refers to any more. */
export class Sweeper {
  readonly #sweeps: readonly (() => Promise<unknown>)[];
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(sweeps: readonly (() => Promise<unknown>)[], onError: (error: unknown) => void) {
    this.#sweeps = sweeps;
    this.#onError = onError;
  }

  /** Begins. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweep();
    }, EVERY_MS);
  }

  /** Ends; a sweep under way is finished. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    // The next round tries again; nothing depends on this one.
    await Promise.all(this.#sweeps.map((sweep) => sweep().catch((error: unknown) => this.#onError(error))));
  }
}
