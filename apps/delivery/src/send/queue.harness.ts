import type { ShardLedger } from '../ledger/shard-ledger.js';
import { type Delivery, laneOf, type QueueOwner, SubscriptionQueue } from './subscription-queue.js';

/** A shard that lets everything happen and keeps nothing; specs replace what they look at. */
export function idleOwner(over: Partial<QueueOwner> = {}): QueueOwner {
  return {
    ledger: undefined as unknown as ShardLedger,
    signal: new AbortController().signal,
    mayStart: () => true,
    accounted: () => undefined,
    settled: () => undefined,
    learnt: () => undefined,
    supersede: () => undefined,
    bury: () => undefined,
    ...over,
  };
}

/** A queue of the subscription `s`. */
export function queueOf(over: Partial<QueueOwner> = {}, latestOnly = false): SubscriptionQueue {
  return new SubscriptionQueue('s', idleOwner(over), latestOnly);
}

/** A delivery that is due at `nextAt`. */
export function delivery(position: number, subject: string, nextAt = 0, ordered = true): Delivery {
  return {
    subscription: 's',
    position,
    subject,
    lane: laneOf(ordered, { subject, position }),
    attempts: 0,
    nextAt,
    since: 0,
    replay: null,
    event: undefined,
    hasRow: false,
  };
}
