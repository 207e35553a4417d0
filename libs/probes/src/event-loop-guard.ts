import type { Clock } from '@tocsin/domain';

/** How often the guard looks at the clock. */
const TICK_MS = 50;
/** A tick later than this is no stall yet: garbage collection and a busy machine do that. */
const TOLERANCE_MS = 50;

/**
 * Knows for how long this process could not look at its sockets. One stall of 1.5 s turns every healthy probe in flight into
 * a time-out unless somebody notices; whoever was blocked may not judge.
 */
export class EventLoopGuard {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #lastTickMs: number;
  #stalledMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastTickMs = clock.monotonicMs();
  }

  /** Begins to watch. Keeps no process alive. */
  start(): void {
    this.#lastTickMs = this.#clock.monotonicMs();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Milliseconds the event loop has been blocked since the start, the stall that is just ending included. */
  stalledMs(): number {
    return this.#stalledMs + this.#openStallMs();
  }

  #tick(): void {
    this.#stalledMs += this.#openStallMs();
    this.#lastTickMs = this.#clock.monotonicMs();
  }

  #openStallMs(): number {
    if (this.#timer === undefined) return 0;
    const sinceTickMs = this.#clock.monotonicMs() - this.#lastTickMs;
    return sinceTickMs > TICK_MS + TOLERANCE_MS ? sinceTickMs - TICK_MS : 0;
  }
}
