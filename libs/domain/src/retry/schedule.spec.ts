import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyOutcome } from './outcome.js';
import {
  MAX_ATTEMPTS,
  type NextAttemptInput,
  nextAttempt,
  RETRY_AFTER_CAP_MS,
  RETRY_SCHEDULE_MS,
  retryAfterPauseMs,
} from './schedule.js';

const HOUR = 3_600_000;
const middle = () => 0.5;
const base: NextAttemptInput = { attemptsMade: 1, verdict: 'retry', nowMs: 1_000_000, random: middle };
const waitOf = (input: Partial<NextAttemptInput>) => {
  const next = nextAttempt({ ...base, ...input });
  return next.dead ? next : next.at - base.nowMs;
};

describe('the schedule', () => {
  it('has 21 waits, hence 22 attempts, over about 70 hours', () => {
    expect(RETRY_SCHEDULE_MS).toHaveLength(21);
    expect(MAX_ATTEMPTS).toBe(22);
    const total = RETRY_SCHEDULE_MS.reduce((sum, wait) => sum + wait, 0);
    expect(total / HOUR).toBeGreaterThan(70);
    expect(total / HOUR).toBeLessThan(70.5);
  });

  it('fires the last scheduled attempt and none after it', () => {
    expect(waitOf({ attemptsMade: 21 })).toBe(8 * HOUR);
    expect(waitOf({ attemptsMade: 22 })).toEqual({ dead: true, reason: 'schedule-exhausted', disable: false });
  });

  it('keeps every wait within 20 % of the table', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 21 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.constantFrom('retry' as const, 'auth' as const, 'misconfigured' as const),
        (attemptsMade, random, verdict) => {
          const wait = waitOf({ attemptsMade, verdict, random: () => random });
          const planned = RETRY_SCHEDULE_MS[attemptsMade - 1]!;
          expect(wait).toBeGreaterThanOrEqual(planned * 0.8 - 1);
          expect(wait).toBeLessThanOrEqual(planned * 1.2 + 1);
        },
      ),
    );
  });

  it('never makes more attempts than the schedule has, whatever the receiver answers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 300, max: 599 }), { minLength: 30, maxLength: 30 }), (answers) => {
        let attemptsMade = 0;
        for (const status of answers) {
          attemptsMade++;
          const verdict = classifyOutcome({ kind: 'response', status });
          if (verdict === 'success') throw new Error('not generated');
          if (nextAttempt({ ...base, attemptsMade, verdict }).dead) break;
        }
        expect(attemptsMade).toBeLessThanOrEqual(MAX_ATTEMPTS);
      }),
    );
  });

  it('takes a schedule of the subscription instead of its own', () => {
    expect(waitOf({ schedule: [100, 200], attemptsMade: 2 })).toBe(200);
    expect(waitOf({ schedule: [100, 200], attemptsMade: 3 })).toMatchObject({ reason: 'schedule-exhausted' });
  });
});

describe('verdicts', () => {
  it('gives a client error ten retries', () => {
    expect(waitOf({ verdict: 'retry-limited', attemptsMade: 10 })).toBe(RETRY_SCHEDULE_MS[9]);
    expect(waitOf({ verdict: 'retry-limited', attemptsMade: 11 })).toEqual({
      dead: true,
      reason: 'retries-limited',
      disable: false,
    });
  });

  it('ends at once on dead, and disables on gone', () => {
    expect(waitOf({ verdict: 'dead' })).toEqual({ dead: true, reason: 'rejected', disable: false });
    expect(waitOf({ verdict: 'gone' })).toEqual({ dead: true, reason: 'gone', disable: true });
  });

  it('resolves a blocked name again three times within two minutes, then disables', () => {
    const waits = [1, 2, 3].map((attemptsMade) => waitOf({ verdict: 'blocked', attemptsMade }) as number);
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBe(120_000);
    expect(waitOf({ verdict: 'blocked', attemptsMade: 4 })).toEqual({
      dead: true,
      reason: 'egress-blocked',
      disable: true,
    });
    expect(waitOf({ verdict: 'blocked', attemptsMade: 15, blockedInARow: 1 })).toBe(40_000);
  });

  it('makes an interrupted attempt again at once', () => {
    expect(waitOf({ verdict: 'interrupted', attemptsMade: 22 })).toBe(0);
  });
});

describe('Retry-After', () => {
  it('lengthens the wait, never shortens it, and is capped at 24 hours', () => {
    expect(waitOf({ retryAfterMs: 60_000 })).toBe(60_000);
    expect(waitOf({ retryAfterMs: 100 })).toBe(2_000);
    expect(waitOf({ retryAfterMs: 90 * 24 * HOUR })).toBe(RETRY_AFTER_CAP_MS);
  });

  it('waits at least as long as asked at every step', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 21 }), fc.integer({ min: 0, max: 24 * HOUR }), (attemptsMade, asked) => {
        expect(waitOf({ attemptsMade, retryAfterMs: asked })).toBeGreaterThanOrEqual(asked);
      }),
    );
  });

  it('pauses the endpoint for what was asked, and not for nonsense', () => {
    expect([undefined, -5, Number.NaN, Number.POSITIVE_INFINITY, 1_000].map(retryAfterPauseMs)).toEqual([
      0, 0, 0, 0, 1_000,
    ]);
  });
});
