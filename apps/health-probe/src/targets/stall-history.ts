import type { Clock } from '@tocsin/domain';

/** Times at which more of it had passed are kept: an observer that stalls at every look remembers an hour. */
const MOST_KEPT = 720;

/**
 * For how long this process has been blocked since some moment. Whoever was blocked himself has heard nothing, and what has come
 * meanwhile waits in his sockets: that time is nobody's silence.
 */
export class StallHistory {
  readonly #clock: Clock;
  readonly #totalMs: () => number;
  /** Oldest first: at `atMs` the process had been blocked for `totalMs` in all. */
  readonly #known: { atMs: number; totalMs: number }[];

  /** @param totalMs milliseconds the process has been blocked in all, the stall that is just ending included */
  constructor(clock: Clock, totalMs: () => number) {
    this.#clock = clock;
    this.#totalMs = totalMs;
    this.#known = [{ atMs: clock.monotonicMs(), totalMs: totalMs() }];
  }

  /** To be called again and again: what has been blocked since the last call counts for all that was heard after that call. */
  note(): void {
    const totalMs = this.#totalMs();
    if (totalMs === this.#known.at(-1)?.totalMs) return;
    this.#known.push({ atMs: this.#clock.monotonicMs(), totalMs });
    if (this.#known.length > MOST_KEPT) this.#known.shift();
  }

  /**
   * Milliseconds blocked since `monoMs`; rather a little too many than too few.
   * @param monoMs monotonic time
   */
  sinceMs(monoMs: number): number {
    const before = this.#known.findLast(({ atMs }) => atMs <= monoMs) ?? this.#known[0];
    return Math.max(0, this.#totalMs() - (before?.totalMs ?? 0));
  }
}
