import { type Clock, TocsinError } from '@tocsin/domain';

/** What may wait at a time. */
export interface GateLimits {
  events: number;
  bytes: number;
}

/** What one request adds to what waits. */
export type Load = GateLimits;

/**
 * Bounds what waits for the log, so that overload is an answer and not a growing heap. A request that finds the gate empty always
 * passes, however large.
 */
export class AppendGate {
  #events = 0;
  #bytes = 0;
  /** Moving average of how long a request was inside, in milliseconds: what a refused caller should wait. */
  #stayMs = 100;

  constructor(
    private readonly limits: GateLimits,
    private readonly clock: Clock,
  ) {}

  /** What is inside now. */
  get waiting(): Load {
    return { events: this.#events, bytes: this.#bytes };
  }

  /**
   * Goes in; what is returned goes out again, once however often it is called.
   * @throws TocsinError `TCN_OVERLOADED` with `retryAfterMs` where there is no room
   */
  enter(load: Load): () => void {
    const events = this.#events + load.events;
    const bytes = this.#bytes + load.bytes;
    if (this.#events > 0 && (events > this.limits.events || bytes > this.limits.bytes)) {
      throw new TocsinError('TCN_OVERLOADED', `${this.#events} events are waiting to be recorded already`, {
        retryAfterMs: Math.min(5_000, Math.max(100, Math.ceil(this.#stayMs * 2))),
      });
    }
    this.#events = events;
    this.#bytes = bytes;
    const startedMs = this.clock.monotonicMs();
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#events -= load.events;
      this.#bytes -= load.bytes;
      this.#stayMs += (this.clock.monotonicMs() - startedMs - this.#stayMs) / 8;
    };
  }

  /**
   * Runs `work` inside the gate.
   * @throws TocsinError `TCN_OVERLOADED`; `work` was not started then
   */
  async pass<T>(load: Load, work: () => Promise<T>): Promise<T> {
    const leave = this.enter(load);
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
