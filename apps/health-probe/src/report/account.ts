import type { Appended } from '@tocsin/contracts';
import type { Span } from '@opentelemetry/api';
import { standingAfter, type EventToAppend, type HealthEntry, type Transition } from '@tocsin/domain';
import type { Target } from '../targets/target.js';
import { HeldTransitions, type Held } from './held-transitions.js';
import type { RecordedState } from './recorded-state.js';

/** An event on its way into the log. */
export interface PendingEvent {
  entry: HealthEntry;
  event: EventToAppend;
  span: Span;
}

/** What the reporter knows of one target. */
export interface Account {
  target: Target;
  /** What the log holds; unknown until it has been read, and again after a conflict. */
  recorded: RecordedState | undefined;
  held: HeldTransitions;
  /** The held transition for which it has been found out whether it can be told. */
  considered: Held | undefined;
  /** What lay over the target when another process watched it has been taken up. */
  restored: boolean;
  /** Event of the next entry, from its first attempt on: a retry repeats it, id and all. */
  event: PendingEvent | undefined;
  announcing: Promise<void> | undefined;
  /** There may be something more to say that was not there when the last look for it was taken. */
  again: boolean;
}

/** Nothing is known of the target yet. */
export function openAccount(target: Target): Account {
  return {
    target,
    recorded: undefined,
    held: new HeldTransitions(),
    considered: undefined,
    restored: false,
    event: undefined,
    announcing: undefined,
    again: false,
  };
}

/** The oldest held change is said, or not to be said any more. */
export function letGo(account: Account): void {
  account.held.shift();
  account.considered = undefined;
}

/** An event that was refused for its version is sent again as it is, unless the log's new word changes what it has to say. */
export function saysTheSame(one: Transition, other: Transition): boolean {
  return one.from === other.from && one.to === other.to && one.episode === other.episode;
}

/** What the log holds after an event of this observer. */
export function stateAfter(recorded: RecordedState, { entry, event }: PendingEvent, appended: Appended): RecordedState {
  const life = event.subject !== entry.transition.subject;
  return {
    ...standingAfter(entry),
    version: life ? recorded.version : appended.version,
    lifeVersion: life ? appended.version : recorded.lifeVersion,
    eventId: event.id,
    newest: entry.transition,
  };
}
