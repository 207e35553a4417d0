import type { Clock, RecordedEvent } from '@tocsin/domain';
import { FRESH_EVENT_MS, spanContextOf, startSpan } from '@tocsin/tracing';
import type { SubscriptionBook, SubscriptionRevision } from './subscription-book.js';

/** The subscriptions of a shard that an event goes to; that they were found shows in the event's own trace. */
export function tracedMatch(
  parts: { book: Pick<SubscriptionBook, 'matching'>; clock: Clock },
  event: RecordedEvent,
  shard: number,
): SubscriptionRevision[] {
  const startMs = parts.clock.now();
  const revisions = [...parts.book.matching(event, shard)];
  const parent = spanContextOf(event.extensions['traceparent']);
  const fresh = startMs - Date.parse(event.recordedAt) < FRESH_EVENT_MS;
  if (revisions.length === 0 || parent === undefined || !fresh) return revisions;
  const attributes = {
    'tocsin.position': event.position,
    'tocsin.subject': event.subject,
    'tocsin.shard': shard,
    'tocsin.match.subscriptions': revisions.length,
  };
  startSpan('match', { parent, startMs, attributes }).end();
  return revisions;
}
