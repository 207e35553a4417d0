import { REGISTRY_EVENTS } from '@tocsin/contracts';
import type { LogSource } from '../match/log-source.js';
import { SubscriptionBook } from '../match/subscription-book.js';

const PAGE = 1_000;

/** Types of the events by which subscriptions are declared. */
const TYPES = [
  REGISTRY_EVENTS.subscriptionCreated,
  REGISTRY_EVENTS.subscriptionUpdated,
  REGISTRY_EVENTS.subscriptionPaused,
  REGISTRY_EVENTS.subscriptionResumed,
  REGISTRY_EVENTS.subscriptionRemoved,
];

/**
 * Every revision of every subscription, or of one, read from the log: the book delivery decides by forgets what will not be matched again.
 * @throws TocsinError as {@link LogSource.read}
 */
export async function declaredSubscriptions(
  log: Pick<LogSource, 'read'>,
  options: { shards: number; only?: string | undefined },
): Promise<SubscriptionBook> {
  const { shards, only } = options;
  const book = new SubscriptionBook(shards);
  const subject = only === undefined ? {} : { subject: `subscription/${only}` };
  for (let after = 0; ;) {
    const page = await log.read({ after, limit: PAGE, types: TYPES, ...subject });
    for (const event of page.events) book.apply(event);
    if (page.next >= page.head || page.next <= after) return book;
    after = page.next;
  }
}
