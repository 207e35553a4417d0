import type { PendingRecord } from '../ledger/records.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { EndpointWatch } from '../retry/endpoint-watch.js';

/** Was it owed to the subscription that has the name now? What is from before its birth was, if that asked for its past. */
export function isOfThisLife(
  { subscription, position, replay }: PendingRecord,
  book: Pick<SubscriptionBook, 'birthOf'>,
  watch: Pick<EndpointWatch, 'knows'>,
): boolean {
  const birth = book.birthOf(subscription);
  if (birth === undefined) return false;
  return position > birth.fromPosition || replay !== null || watch.knows(subscription, birth.fromPosition);
}
