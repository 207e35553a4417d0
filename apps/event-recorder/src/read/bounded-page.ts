import type { EventStore, ReadQuery } from '@tocsin/contracts';
import { type RecordedEvent, toCloudEvent } from '@tocsin/domain';

/** An event and its structured CloudEvent as JSON, written once for all who send it. */
export interface SerializedEvent {
  event: RecordedEvent;
  json: string;
}

/** Events of the log, as far as they fit. `next`: where to go on reading, as `after`, or as `before` when reading backward. `head`: last position of the log. */
export interface BoundedPage {
  events: SerializedEvent[];
  next: number;
  head: number;
}

/** Which events. */
export interface LogFilter {
  types?: readonly string[] | undefined;
  subject?: string | undefined;
}

/** Which events, in which direction, and how many at most. */
export interface PageRequest extends LogFilter, Pick<ReadQuery, 'before' | 'since' | 'until' | 'direction'> {
  after: number;
  limit: number;
  /** Bytes of JSON, all events together; the first event is always given, whatever its size. */
  maxBytes: number;
}

export function serialize(event: RecordedEvent): SerializedEvent {
  return { event, json: JSON.stringify(toCloudEvent(event)) };
}

/**
 * Reads a page bounded by number and by bytes. The store bounds what it reads only roughly, since it does not know in which form events
 * leave; this counts what leaves.
 */
export async function readBounded(store: Pick<EventStore, 'read'>, request: PageRequest): Promise<BoundedPage> {
  const { types, subject, ...bounds } = request;
  const { after, maxBytes } = request;
  const page = await store.read({
    ...bounds,
    ...(types === undefined ? {} : { types: [...types] }),
    ...(subject === undefined ? {} : { subject }),
  });
  const events: SerializedEvent[] = [];
  let bytes = 0;
  for (const event of page.events) {
    const serialized = serialize(event);
    bytes += Buffer.byteLength(serialized.json) + 1;
    if (events.length > 0 && bytes > maxBytes) {
      return { events, next: events.at(-1)?.event.position ?? after, head: page.head };
    }
    events.push(serialized);
  }
  return { events, next: page.next, head: page.head };
}
