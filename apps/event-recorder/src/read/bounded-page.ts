import type { EventStore, ReadQuery } from '@tocsin/contracts';
import { eventLabels, labelsContain, type RecordedEvent, toCloudEvent } from '@tocsin/domain';

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
  /** Labels that an event must carry in `data.labels`, all of them: the scope of who reads. */
  labels?: Readonly<Record<string, string>> | undefined;
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

/** Labels have no index: so many pages of so many events are looked through before what was found is given. */
const MOST_PAGES = 10;
const SEARCHED = 1_000;

/**
 * Reads a page bounded by number and by bytes. The store bounds what it reads only roughly, since it does not know in which form events
 * leave; this counts what leaves. With labels a page may be empty and `next` lead on all the same.
 */
export async function readBounded(store: Pick<EventStore, 'read'>, request: PageRequest): Promise<BoundedPage> {
  const { labels, limit, maxBytes } = request;
  if (labels === undefined) return readPage(store, request);
  const found: SerializedEvent[] = [];
  let bytes = 0;
  for (let pages = 1, wanted = { ...request, limit: SEARCHED }; ; pages += 1) {
    const page = await readPage(store, wanted);
    for (const one of page.events) {
      if (!labelsContain(eventLabels(one.event), labels)) continue;
      found.push(one);
      bytes += Buffer.byteLength(one.json) + 1;
      if (found.length === limit || bytes >= maxBytes) {
        return { events: found, next: one.event.position, head: page.head };
      }
    }
    const from = boundOf(wanted);
    if (page.next === from || pages === MOST_PAGES) return { events: found, next: page.next, head: page.head };
    wanted = { ...wanted, ...(wanted.direction === 'backward' ? { before: page.next } : { after: page.next }) };
  }
}

function boundOf({ direction, before, after }: PageRequest): number | undefined {
  return direction === 'backward' ? before : after;
}

async function readPage(store: Pick<EventStore, 'read'>, request: PageRequest): Promise<BoundedPage> {
  const { types, subject, labels: _labels, ...bounds } = request;
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
