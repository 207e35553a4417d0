import { eventLabels, type RecordedEvent } from '@tocsin/domain';
import { deliveryId } from '../ledger/delivery-id.js';
import type { AttemptView } from '../ledger/ledger-reader.js';
import type { MatchAnswer } from '../match/explain-match.js';
import type { Fate } from './event-ledger.js';
import type { SubscriptionStory } from './story.js';

/** What became of an event for one subscription: whether it matched, and what the ledger says. */
export function subscriptionStory(
  subscription: string,
  event: RecordedEvent,
  answer: MatchAnswer,
  fate: Fate,
): SubscriptionStory {
  const delivered = fate.attempts.find(({ outcome }) => outcome === 'delivered');
  const told = { subscription, attempts: fate.attempts };
  const delivery = deliveryId(event.position, subscription);
  if (!answer.matched && fate.attempts.length === 0 && fate.pending === undefined) {
    const { clause } = answer;
    return { ...told, outcome: 'not-matched', clause, answer: `not told: ${unmatched(answer, event)}` };
  }
  const asked = answer.matched && !answer.history ? '' : ' (asked for afterwards)';
  if (delivered !== undefined) {
    const again = fate.pending === undefined ? {} : { nextAttemptAt: fate.pending.nextAt };
    const text = `told at ${delivered.startedAt}, ${countOf(delivered.number)}: ${attemptText(delivered)}${asked}`;
    return { ...told, outcome: 'delivered', answer: text, delivery, at: delivered.startedAt, ...again };
  }
  if (fate.behind !== undefined && waitsInOrder(answer) && fate.attempts.length === 0) {
    const { position, nextAt } = fate.behind;
    const text = `not told yet: it waits behind event ${position} of the same subject, which is due at ${nextAt}${heldText(fate)}`;
    return { ...told, outcome: 'pending', answer: text, delivery };
  }
  if (fate.pending !== undefined) {
    const { nextAt } = fate.pending;
    const last = fate.attempts.at(-1);
    const so = last === undefined ? 'no attempt yet' : `${countOf(last.number)} so far, the last: ${attemptText(last)}`;
    const text = `not told yet: ${so}; next attempt at ${nextAt}${heldText(fate)}${asked}`;
    return { ...told, outcome: 'pending', answer: text, delivery, nextAttemptAt: nextAt };
  }
  if (fate.dead !== undefined) {
    const { at, reason } = fate.dead;
    const last = fate.attempts.at(-1);
    const so = last === undefined ? '' : ` after ${countOf(last.number)}, the last: ${attemptText(last)}`;
    return { ...told, outcome: 'dead', answer: `not told: given up at ${at} (${reason})${so}`, delivery, at };
  }
  if (fate.superseded !== undefined) {
    const { at, by } = fate.superseded;
    const text = `not told: it gave way to event ${by}, which is newer (delivery: latest)`;
    return { ...told, outcome: 'superseded', answer: text, delivery, at };
  }
  if (fate.parked !== undefined && fate.parked.after < event.position) {
    const { since } = fate.parked;
    return { ...told, outcome: 'parked', answer: `not told yet: ${parkedText(fate.parked)}`, delivery, at: since };
  }
  if (fate.checkpoint < event.position) {
    return {
      ...told,
      outcome: 'under-way',
      answer: 'not told yet: delivery is at it, or has not come to it',
      delivery,
    };
  }
  const text = 'it should have been told, and the ledger knows nothing of it: `tocsin verify` says more';
  return { ...told, outcome: 'unaccounted', answer: text, delivery };
}

/** Does an event wait for the one before it of its subject? */
function waitsInOrder(answer: MatchAnswer): boolean {
  return answer.matched && !answer.history && answer.revision.spec.order === 'subject';
}

/** How an attempt ended, for people. */
export function attemptText(attempt: AttemptView): string {
  const { status, errorClass, detail, phasesMs } = attempt;
  const total = phasesMs['total'];
  const answer = status === null ? [errorClass ?? 'no answer', detail].filter(Boolean).join(': ') : `HTTP ${status}`;
  return total === undefined ? answer : `${answer} in ${Math.round(total)} ms`;
}

/** What of a subscription kept it from matching, for people. */
function unmatched(answer: Extract<MatchAnswer, { matched: false }>, event: RecordedEvent): string {
  switch (answer.clause) {
    case 'type':
      return `it asks for ${answer.revision.spec.types.join(', ')}, not for ${event.type}`;
    case 'labels':
      return labelsText(answer.revision.spec.labels, eventLabels(event));
    case 'filter': {
      const asked = `its filter ${answer.revision.spec.filter ?? ''}`;
      return answer.failed === undefined ? `${asked} is not true of it` : `${asked} fails on it: ${answer.failed}`;
    }
    case 'withheld':
      return 'it matches, but the event was kept back from everybody';
    case 'created-later':
      return `it was made later, by event ${answer.position}`;
    case 'removed':
      return `it had been removed, by event ${answer.position}`;
    case 'not-declared':
      return 'there was no such subscription';
  }
}

function labelsText(wanted: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): string {
  const missing = Object.entries(wanted).filter(([name, value]) => found[name] !== value);
  const asked = missing.map(([name, value]) => `${name}=${value}`).join(', ');
  const has = missing.map(([name]) => (found[name] === undefined ? `no ${name}` : `${name}=${found[name]}`)).join(', ');
  return `it asks for ${asked}, and the event has ${has}`;
}

function parkedText({ reason, since, after }: NonNullable<Fate['parked']>): string {
  switch (reason) {
    case 'paused':
      return `it is paused since ${since}; what matches behind event ${after} waits`;
    case 'backlog':
    case 'snapshot':
      return `too much waits for it; it is brought forward from event ${after}`;
    default:
      return `it was disabled at ${since} (${reason}); what matches behind event ${after} waits until it is declared anew`;
  }
}

/** A delivery waits with its row while its subscription is held. */
function heldText({ parked }: Fate): string {
  return parked === undefined || parked.reason === 'backlog' ? '' : `, but ${parkedText(parked)}`;
}

function countOf(attempts: number): string {
  return attempts === 1 ? '1 attempt' : `${attempts} attempts`;
}
