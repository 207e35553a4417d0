import { askFilter } from '@tocsin/cel';
import { type Mismatch, mismatchOf, type RecordedEvent } from '@tocsin/domain';
import { isHistoryOf, type SubscriptionRevision } from './subscription-book.js';

/** Is an event for a subscription, and if not, why not? Says what {@link SubscriptionBook} decides, from the same rules. */
export type MatchAnswer =
  | {
      matched: true;
      revision: SubscriptionRevision;
      /** From before it was made: it began in the past. */ history: boolean;
    }
  | { matched: false; clause: 'not-declared' }
  /** `position` of the declaration that came too late, or of the removal. */
  | { matched: false; clause: 'created-later' | 'removed'; position: number }
  | ({ matched: false; revision: SubscriptionRevision } & Mismatch);

/**
 * Why an event goes to a subscription, or does not.
 * @param revisions all of the subscription, in order of position
 */
export function explainMatch(revisions: readonly SubscriptionRevision[], event: RecordedEvent): MatchAnswer {
  const inForce = revisions.find(
    ({ fromPosition, toPosition }) =>
      event.position > fromPosition && (toPosition === undefined || event.position <= toPosition),
  );
  if (inForce !== undefined) {
    const mismatch = mismatchOf(inForce.spec, event, askFilter);
    return mismatch === undefined
      ? { matched: true, revision: inForce, history: false }
      : { matched: false, revision: inForce, ...mismatch };
  }
  const later = revisions.find(({ fromPosition }) => fromPosition >= event.position);
  if (later !== undefined && isHistoryOf(later, event) && mismatchOf(later.spec, event, askFilter) === undefined) {
    return { matched: true, revision: later, history: true };
  }
  const ended = revisions.findLast(({ toPosition }) => toPosition !== undefined && toPosition < event.position);
  if (ended?.toPosition !== undefined) return { matched: false, clause: 'removed', position: ended.toPosition };
  return later === undefined
    ? { matched: false, clause: 'not-declared' }
    : { matched: false, clause: 'created-later', position: later.fromPosition };
}
