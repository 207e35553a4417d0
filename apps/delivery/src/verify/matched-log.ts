import type { RecordedEvent } from '@tocsin/domain';
import type { LogSource } from '../match/log-source.js';
import { SubscriptionBook, type SubscriptionRevision } from '../match/subscription-book.js';

const PAGE = 1_000;
/** Deliveries judged at a time: what is in memory is bounded, however many subscriptions an event has. One event is never divided. */
const MOST_ACCEPTED = 5_000;

/** An event that goes to a subscription. */
export interface Accepted {
  event: RecordedEvent;
  revision: SubscriptionRevision;
}

/** A stretch of the log and who had to be told of it. */
export interface MatchedPart {
  events: RecordedEvent[];
  accepted: Accepted[];
  /** Everything up to here has been seen. */
  position: number;
}

/**
 * Reads the log once, in parts of bounded size, and works out from it alone who had to be told what. Removed subscriptions count for as
 * long as they lived; what a replay or a beginning in the past adds does not.
 * @param range positions behind `after`, up to `upTo`
 * @throws TocsinError as {@link LogSource.read}
 */
export async function* matchedLog(
  log: Pick<LogSource, 'read'>,
  shards: number,
  range: { after: number; upTo: number },
): AsyncGenerator<MatchedPart, void, void> {
  const book = new SubscriptionBook(shards);
  for (let after = 0; after < range.upTo;) {
    const page = await log.read({ after, limit: PAGE });
    let part: MatchedPart = { events: [], accepted: [], position: after };
    for (const event of page.events.filter(({ position }) => position <= range.upTo)) {
      if (event.position > range.after) {
        part.events.push(event);
        part.accepted.push(...book.matchingAnywhere(event).map((revision) => ({ event, revision })));
        part.position = event.position;
      }
      book.apply(event);
      if (part.accepted.length < MOST_ACCEPTED) continue;
      yield part;
      part = { events: [], accepted: [], position: event.position };
    }
    const next = Math.min(page.next, range.upTo);
    if (next > range.after) yield { ...part, position: next };
    book.dropBefore(page.next);
    if (page.next <= after) return;
    after = page.next;
  }
}
