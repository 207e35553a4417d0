/**
 * Counts what is under way, for whoever has to wait until nothing is.
 *
 * A Set of promises would tell the same, and cost more than it looks: a Set (a Map, too) through which thousands pass a second is rebuilt
 * again and again, each time in a new table that the dead one before still refers to. Once one of them has grown old, everything that
 * passes through survives young collections with it, and waits for a full one.
 */
export class InFlight {
  #size = 0;
  #waiting: (() => void)[] = [];

  /** How much is under way. */
  get size(): number {
    return this.#size;
  }

  /** Something begins. */
  begin(): void {
    this.#size += 1;
  }

  /** Something that has begun is over. */
  end(): void {
    this.#size -= 1;
    if (this.#size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when nothing is under way. */
  async none(): Promise<void> {
    while (this.#size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
