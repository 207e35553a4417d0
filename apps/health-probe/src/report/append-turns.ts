/** A thousand targets that die together must not fill the leader's queue alone. */
const APPENDS_AT_ONCE = 64;

/** Bounds how many appends are under way at once, first come, first served. */
export class AppendTurns {
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= APPENDS_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken += 1;
    try {
      return await work();
    } finally {
      this.#taken -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Lets everybody go on at once: what they do ends by itself. */
  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}
