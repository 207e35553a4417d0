import { systemClock } from '@tocsin/platform';
import { type ErrorCode, TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { retryWithin } from './retry-within.js';

const options = { clock: systemClock, random: () => 0.5, deadlineMs: 400, retryOverload: false };

function failing(times: number, error: unknown): { attempt: () => Promise<string>; count: () => number } {
  let count = 0;
  return {
    attempt: async () => {
      count += 1;
      if (count <= times) throw error;
      return 'done';
    },
    count: () => count,
  };
}

const error = (code: ErrorCode, retryAfterMs?: number): TocsinError =>
  new TocsinError(code, 'no', retryAfterMs === undefined ? {} : { retryAfterMs });

describe('retryWithin', () => {
  it('repeats what a retry can heal until it succeeds', async () => {
    const work = failing(3, error('TCN_FENCED'));
    expect(await retryWithin(options, work.attempt)).toBe('done');
    expect(work.count()).toBe(4);
  });

  it.each([error('TCN_VERSION_CONFLICT'), new Error('a bug')])('does not repeat %s', async (thrown) => {
    const work = failing(1, thrown);
    await expect(retryWithin(options, work.attempt)).rejects.toBe(thrown);
    expect(work.count()).toBe(1);
  });

  it('gives the last error when the deadline passes, and not much later', async () => {
    const last = error('TCN_UNAVAILABLE');
    const startedMs = systemClock.monotonicMs();
    await expect(retryWithin(options, failing(1e6, last).attempt)).rejects.toBe(last);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(options.deadlineMs + 200);
  });

  it('answers overload at once, or waits as long as it was told to', async () => {
    const now = failing(1, error('TCN_OVERLOADED', 60));
    await expect(retryWithin(options, now.attempt)).rejects.toMatchObject({ code: 'TCN_OVERLOADED' });
    const startedMs = systemClock.monotonicMs();
    await retryWithin({ ...options, retryOverload: true }, failing(1, error('TCN_OVERLOADED', 60)).attempt);
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(55);
  });

  it('tells each attempt how long it may take', async () => {
    const left: number[] = [];
    await retryWithin(options, async (remainingMs) => {
      left.push(remainingMs);
      if (left.length < 3) throw error('TCN_TIMEOUT');
    });
    expect(left[0]).toBeGreaterThan(left[1]!);
    expect(left[1]).toBeGreaterThan(left[2]!);
  });

  it('stops at once when aborted', async () => {
    const stop = new AbortController();
    const work = failing(1e6, error('TCN_UNAVAILABLE'));
    const running = retryWithin({ ...options, deadlineMs: 60_000, signal: stop.signal }, work.attempt);
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });
});
