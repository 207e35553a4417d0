import type { ApiClient } from '@tocsin/client';
import { withQuery } from '../server/query.js';
import type { ShownEvent } from './event-line.js';

/** Which events of the log. */
export interface EventFilter {
  types?: readonly string[] | undefined;
  subject?: string | undefined;
}

/** A page of the log; `next` is the position to go on from. */
interface EventPage {
  events: ShownEvent[];
  next: number;
}

/** Largest page the API gives. */
const PAGE = 1000;

async function pageOf(
  client: ApiClient,
  bound: { after: number } | { before?: number; order: 'desc' },
  limit: number,
  filter: EventFilter,
): Promise<EventPage> {
  const { types: type, subject } = filter;
  return (await client.call('GET', withQuery('/v1/events', { ...bound, limit, type, subject }))) as EventPage;
}

/** Events after a position, oldest first, up to `limit`. */
export async function eventsAfter(
  client: ApiClient,
  after: number,
  limit: number,
  filter: EventFilter = {},
): Promise<ShownEvent[]> {
  const found: ShownEvent[] = [];
  let from = after;
  while (found.length < limit) {
    const { events, next } = await pageOf(client, { after: from }, Math.min(PAGE, limit - found.length), filter);
    found.push(...events);
    // At the head `next` stays where it is.
    if (next <= from) break;
    from = next;
  }
  return found;
}

/** Last position of the log, 0 where it is empty. */
export async function headOf(client: ApiClient): Promise<number> {
  const [newest] = await newestEvents(client, 1);
  return newest?.position ?? 0;
}

/** The newest `count` events that match, oldest first. */
export async function newestEvents(client: ApiClient, count: number, filter: EventFilter = {}): Promise<ShownEvent[]> {
  const found: ShownEvent[] = [];
  let before: number | undefined;
  while (found.length < count) {
    const bound = { order: 'desc' as const, ...(before === undefined ? {} : { before }) };
    const { events, next } = await pageOf(client, bound, Math.min(PAGE, count - found.length), filter);
    found.push(...events);
    if (events.length === 0) break;
    before = next;
  }
  return found.reverse();
}
