import type { Random } from '../clock.js';
import type { Verdict } from './outcome.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * Waiting times between attempts, milliseconds: entry 0 stands before the second attempt. 21 waits make 22 attempts over about
 * 70 hours. Dense at first, because these are alarms; long at the end, because a receiver may be down over a weekend.
 */
export const RETRY_SCHEDULE_MS: readonly number[] = [
  ...[2, 5, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 6].map((hours) => hours * HOUR),
  ...Array.from({ length: 7 }, () => 8 * HOUR),
];

/** Attempts of the whole schedule, the first one included. */
export const MAX_ATTEMPTS = RETRY_SCHEDULE_MS.length + 1;

/** Every wait is spread by this share to either side, so that deliveries that failed together do not come back together. */
export const RETRY_JITTER = 0.2;

/** Retries of a client error that a deploy of the receiver may heal (about 70 minutes of the schedule). */
export const LIMITED_RETRIES = 10;

/** How often a name that resolves to a forbidden address is resolved again, and over what time (milliseconds). */
export const BLOCKED_RETRIES = 3;
export const BLOCKED_RETRY_SPAN_MS = 2 * MINUTE;

/** A receiver may ask for this much patience, not for more. */
export const RETRY_AFTER_CAP_MS = 24 * HOUR;

/** Why no further attempt is made. */
export type DeadReason = 'schedule-exhausted' | 'retries-limited' | 'rejected' | 'gone' | 'egress-blocked';

/** Either when the next attempt is due (epoch milliseconds), or that there is none. */
export type NextAttempt =
  | { at: number; dead?: never }
  | {
      dead: true;
      reason: DeadReason;
      /** The subscription is to be disabled and this delivery parked with all that wait, not buried alone. */
      disable: boolean;
      at?: never;
    };

/** What {@link nextAttempt} decides by. */
export interface NextAttemptInput {
  /** Attempts of this delivery made so far, the one just judged included; ≥ 1. Interrupted ones do not count. */
  attemptsMade: number;
  /** What the last one came to. */
  verdict: Exclude<Verdict, 'success'>;
  /** How many attempts in a row, the last one included, ended `blocked`. Left out: all of them. */
  blockedInARow?: number;
  /** What the receiver asked for, milliseconds from now. */
  retryAfterMs?: number | undefined;
  /** Epoch milliseconds. */
  nowMs: number;
  random: Random;
  /** Other waits than {@link RETRY_SCHEDULE_MS}. */
  schedule?: readonly number[];
}

/**
 * When a delivery is tried again, if at all. A `Retry-After` can only lengthen the wait (CloudEvents HTTP webhook § 2.2: a sender
 * must obey it); waiting consumes no attempt.
 */
export function nextAttempt(input: NextAttemptInput): NextAttempt {
  const { verdict, attemptsMade, nowMs, random, schedule = RETRY_SCHEDULE_MS } = input;
  if (verdict === 'interrupted') return { at: nowMs };
  if (verdict === 'gone') return { dead: true, reason: 'gone', disable: true };
  if (verdict === 'dead') return { dead: true, reason: 'rejected', disable: false };
  if (verdict === 'blocked') {
    if ((input.blockedInARow ?? attemptsMade) > BLOCKED_RETRIES) {
      return { dead: true, reason: 'egress-blocked', disable: true };
    }
    return { at: nowMs + jittered(BLOCKED_RETRY_SPAN_MS / BLOCKED_RETRIES, random) };
  }
  if (verdict === 'retry-limited' && attemptsMade > LIMITED_RETRIES) {
    return { dead: true, reason: 'retries-limited', disable: false };
  }
  const waitMs = schedule[attemptsMade - 1];
  if (waitMs === undefined) return { dead: true, reason: 'schedule-exhausted', disable: false };
  return { at: nowMs + Math.max(jittered(waitMs, random), retryAfterPauseMs(input.retryAfterMs)) };
}

/**
 * How long the whole endpoint is left alone because of a `Retry-After`, milliseconds; 0 where there was none. Applies to any
 * answer but a 2xx, also to one that ends its own delivery.
 */
export function retryAfterPauseMs(retryAfterMs: number | undefined): number {
  if (retryAfterMs === undefined || !Number.isFinite(retryAfterMs)) return 0;
  return Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_CAP_MS);
}

function jittered(waitMs: number, random: Random): number {
  return Math.round(waitMs * (1 - RETRY_JITTER + 2 * RETRY_JITTER * random()));
}
