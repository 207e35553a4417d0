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

async function pageOf(client: ApiClient, after: number, limit: number, filter: EventFilter): Promise<EventPage> {
  const { types: type, subject } = filter;
  return (await client.call('GET', withQuery('/v1/events', { after, limit, type, subject }))) as EventPage;
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
    const { events, next } = await pageOf(client, from, Math.min(PAGE, limit - found.length), filter);
    found.push(...events);
    // At the head `next` stays where it is.
    if (next <= from) break;
    from = next;
  }
  return found;
}

/**
 * Last position of the log, 0 where it is empty. The API reads forward only, so the end is closed in on: 2 × log2 calls, some forty for a
 * log of a million events.
 */
export async function headOf(client: ApiClient): Promise<number> {
  return lastWhere(async (after) => (await pageOf(client, after, 1, {})).events.length > 0);
}

/** The newest `count` events that match, oldest first. */
export async function newestEvents(client: ApiClient, count: number, filter: EventFilter = {}): Promise<ShownEvent[]> {
  // "At least so many lie behind it" holds for all positions up to one, and for none from there on.
  const start = await lastWhere(
    async (after) => (await eventsAfter(client, after, count, filter)).length >= count,
    await headOf(client),
  );
  const from = Math.max(0, start - 1);
  return (await eventsAfter(client, from, Number.POSITIVE_INFINITY, filter)).slice(-count);
}

/**
 * Smallest position for which `holds` is false, where it holds for all below and for none above.
 * @param above a position for which it is known to be false
 */
async function lastWhere(holds: (after: number) => Promise<boolean>, above?: number): Promise<number> {
  let low = 0;
  let high = above ?? 1;
  if (above === undefined) {
    while (await holds(high - 1)) {
      low = high;
      high *= 2;
    }
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
