import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait, and for what. */
export interface EventuallyOptions {
  /** Names what is waited for, in the error: "eventually …". */
  what: string;
  /** Milliseconds; default 10 000. */
  timeoutMs?: number;
  /** Milliseconds between two looks; default 20. */
  intervalMs?: number;
}

/**
 * Waits until `condition` gives something other than `false`, `undefined` or `null`, and returns that. A condition that throws (an
 * `expect` in it, say) is not yet met.
 * @throws Error naming what did not happen, with the last failure as its cause.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions,
): Promise<Exclude<T, false | undefined | null>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const end = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== undefined && value !== null) {
        return value as Exclude<T, false | undefined | null>;
      }
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= end) {
      const reason = failure instanceof Error ? `: ${failure.message}` : '';
      throw new Error(`not within ${timeoutMs} ms: ${options.what}${reason}`, { cause: failure });
    }
    await delay(options.intervalMs ?? 20);
  }
}
