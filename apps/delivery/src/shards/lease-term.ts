import type { Clock } from '@tocsin/domain';

/** The time for which a shard is certainly this process's; its signal ends attempts that outlast it. */
export class LeaseTerm {
  #until = Number.NEGATIVE_INFINITY;
  #control = new AbortController();
  #signal: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @param breakOff aborted when attempts end for another reason */
  constructor(
    private readonly clock: Clock,
    private readonly breakOff: AbortSignal,
  ) {
    this.#signal = AbortSignal.any([this.#control.signal, breakOff]);
  }

  /** Of the attempts that start now. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  holds(): boolean {
    return !this.#ended && this.clock.monotonicMs() < this.#until;
  }

  /** It holds until then, monotonic milliseconds. */
  renewed(untilMs: number): void {
    if (this.#ended) return;
    this.#until = untilMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#breakOff(), Math.max(untilMs - this.clock.monotonicMs(), 0));
    this.#timer.unref();
  }

  /** It is over for good. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#control.abort();
  }

  /** From here on somebody else may send the same; a lease that is renewed after all starts with a new signal. */
  #breakOff(): void {
    this.#control.abort();
    this.#control = new AbortController();
    this.#signal = AbortSignal.any([this.#control.signal, this.breakOff]);
  }
}
