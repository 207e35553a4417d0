/** Where the time comes from. Nothing in this library reads a clock of its own, so that every decision can be replayed. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01T00:00:00Z. May step; use it for what people read. */
  now(): number;
  /** Monotonic time in milliseconds from an arbitrary start. Never steps; use it for durations and deadlines. */
  monotonicMs(): number;
}

/** Where randomness comes from: a number in [0, 1), as `Math.random` gives. */
export type Random = () => number;
