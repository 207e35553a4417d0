import type { Clock } from '@tocsin/domain';

/**
 * The time for which a shard is certainly this process's: only then do attempts start. Those under way end by themselves when it has
 * merely run out, which happens to whoever waits for Postgres: what they come to counts unless somebody else has taken the shard, and
 * a request that was broken off would have reached the receiver all the same, and come again. They are broken off when it is lost.
 */
export class LeaseTerm {
  #until = Number.NEGATIVE_INFINITY;
  readonly #lost = new AbortController();
  /** Of every attempt. */
  readonly signal: AbortSignal;

  /** @param breakOff aborted when attempts end for another reason */
  constructor(
    private readonly clock: Clock,
    breakOff: AbortSignal,
  ) {
    this.signal = AbortSignal.any([this.#lost.signal, breakOff]);
  }

  holds(): boolean {
    return !this.#lost.signal.aborted && this.clock.monotonicMs() < this.#until;
  }

  /** It holds until then, monotonic milliseconds. */
  renewed(untilMs: number): void {
    this.#until = untilMs;
  }

  /** It is over for good. */
  end(): void {
    this.#lost.abort();
  }
}
