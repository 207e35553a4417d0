import { type Clock, isTocsinError, type Random, TocsinError } from '@tocsin/domain';
import { pause, workSlices } from '@tocsin/platform';

/** First pause between attempts, in milliseconds; doubled each time up to {@link MAX_PAUSE_MS}. */
const FIRST_PAUSE_MS = 25;

/** Longest pause: a standby takes over within 2 s, and whoever waits for it should not add much. */
const MAX_PAUSE_MS = 250;

/** How to retry. */
export interface RetryOptions {
  clock: Clock;
  random: Random;
  /** Milliseconds from now within which an attempt may start. */
  deadlineMs: number;
  /** Overload is answered at once where this is false, so that waiting happens at the producer and not here. */
  retryOverload: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Calls `attempt` until it succeeds, fails with an error that no retry can heal, or the deadline passes. Errors that are not
 * Tocsin's own are never retried. The append behind it must be safe to repeat, which (source, id) makes it.
 * @param attempt gets the milliseconds that are left
 * @throws the last error, or TocsinError `TCN_UNAVAILABLE` when aborted
 */
export async function retryWithin<T>(options: RetryOptions, attempt: (remainingMs: number) => Promise<T>): Promise<T> {
  const { clock, random, signal } = options;
  const endMs = clock.monotonicMs() + options.deadlineMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    if (signal?.aborted === true) throw new TocsinError('TCN_UNAVAILABLE', 'the service is stopping');
    try {
      return await attempt(Math.max(1, endMs - clock.monotonicMs()));
    } catch (error) {
      if (!isTocsinError(error) || !error.retryable) throw error;
      if (error.code === 'TCN_OVERLOADED' && !options.retryOverload) throw error;
      // Half fixed, half random: many waiting callers must not return in one wave.
      const waitMs = Math.max(error.retryAfterMs ?? 0, pauseMs * (0.5 + random() / 2));
      if (clock.monotonicMs() + waitMs >= endMs) throw error;
      await pause(waitMs, signal);
      // Hundreds may have waited for the same new leader.
      await workSlices.next();
    }
  }
}
