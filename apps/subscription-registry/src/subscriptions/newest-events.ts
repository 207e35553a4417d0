import { eventsBeforeReplySchema, LOG_LOOK_RPC } from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent } from '@tocsin/domain';
import type { Requester } from '../log/registry-log.js';

/** Events asked for at once; the recorder gives fewer where they are large. */
const PAGE = 200;

/**
 * The newest events of the log, newest first, page by page.
 * @param most events in all
 * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
 */
export async function* newestEvents(broker: Requester, most: number): AsyncGenerator<RecordedEvent[]> {
  let before: number | undefined;
  for (let left = most; left > 0;) {
    const request = { limit: Math.min(left, PAGE), ...(before === undefined ? {} : { before }) };
    const { events } = await broker.request(LOG_LOOK_RPC.before, request, { schema: eventsBeforeReplySchema });
    const page = events.map((event) => fromCloudEvent(event as CloudEvent));
    const oldest = page.at(-1);
    if (oldest === undefined) return;
    yield page;
    left -= page.length;
    before = oldest.position;
    if (before <= 1) return;
  }
}
