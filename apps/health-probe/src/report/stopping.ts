/**
 * Ends the waiting of everybody at once. A race against a promise that lasts as long as the process would be remembered by that promise for
 * ever, with all it was about: whoever has what he waited for is forgotten here.
 */
export class Stopping {
  readonly #waiting = new Set<() => void>();
  #begun = false;

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Nobody waits any more, now or later. */
  begin(): void {
    this.#begun = true;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /**
   * Resolves when `work` has ended or the stop has begun, whichever is first.
   * @throws what `work` rejects with before that
   */
  async orUntil(work: Promise<unknown>): Promise<void> {
    if (this.#begun) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    work.then(() => resolve(), reject);
    try {
      await promise;
    } finally {
      this.#waiting.delete(resolve);
    }
  }
}
