/** Lets so many requests a second through, a few at once after a pause. Plain arithmetic; the time is given. */
export class TokenBucket {
  #tokens: number;
  #atMs: number | undefined;

  /** @param burst tokens it holds at most, one at least */
  constructor(
    private readonly perSecond: number,
    private readonly burst = 1,
  ) {
    this.#tokens = burst;
  }

  /** When the next request may go out, epoch milliseconds; not later than now if at once. */
  readyAt(nowMs: number): number {
    this.#refill(nowMs);
    // Sums of fractions fall short of one by less than this.
    return this.#tokens >= 1 - 1e-6 ? nowMs : nowMs + Math.ceil(((1 - this.#tokens) / this.perSecond) * 1_000);
  }

  /** One request goes out. */
  take(nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens = Math.max(this.#tokens - 1, 0);
  }

  #refill(nowMs: number): void {
    // A wall clock that is set back gives nothing, and takes nothing.
    const passedMs = Math.max(nowMs - (this.#atMs ?? nowMs), 0);
    this.#tokens = Math.min(this.#tokens + (passedMs / 1_000) * this.perSecond, this.burst);
    this.#atMs = nowMs;
  }
}
