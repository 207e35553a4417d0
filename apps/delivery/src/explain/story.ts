import type { HealthEventData } from '@tocsin/contracts';
import { type AttemptView, DELIVERY_STATES } from '../ledger/ledger-reader.js';

/** An event, named. */
export interface EventName {
  position: number;
  id: string;
  type: string;
  subject: string;
  /** When it became true, and when it was recorded; RFC 3339. */
  time: string;
  recordedAt: string;
  /** One sentence, where the event has one. */
  reason?: string;
  /** Told to nobody. */
  withheld?: true;
}

/** What kept a change from everybody. */
export interface Suppression {
  by: 'maintenance' | 'flapping' | 'unreachable' | 'storm' | 'first' | 'superseded';
  /** For people: which window, which parent, which group. */
  text: string;
  /** The event that says so, where the log has one. */
  event?: EventName;
}

/** One moment in the story of an event, in the order of time. */
export interface Step {
  at: string;
  what:
    'probe' | 'vote' | 'confirmed' | 'recorded' | 'withheld' | 'attempt' | 'superseded' | 'given-up' | 'next-attempt';
  text: string;
  subscription?: string;
  /** Leads to the trace, where it was traced. */
  traceId?: string;
}

/**
 * What can have become of an event for a subscription: the states of the ledger, and beside them: `under-way`: delivery has not come to the
 * event yet, or is just at it; `unaccounted`: it should have been told, and nothing is known of it, which must not be (`tocsin verify`
 * finds it too).
 */
export const STORY_OUTCOMES = [...DELIVERY_STATES, 'under-way', 'unaccounted', 'not-matched'] as const;

/** What became of an event for one subscription. */
export interface SubscriptionStory {
  subscription: string;
  outcome: (typeof STORY_OUTCOMES)[number];
  /** What of the subscription kept it from matching. */
  clause?: 'type' | 'labels' | 'filter' | 'withheld' | 'created-later' | 'removed' | 'not-declared';
  /** The whole answer in a sentence. */
  answer: string;
  /** Id of the delivery, where there is one. */
  delivery?: string;
  /** When it came to this outcome. */
  at?: string;
  nextAttemptAt?: string;
  attempts: AttemptView[];
}

/** The story of one event: from what was seen to the last attempt. */
export interface EventStory extends EventName {
  /** What happened, and who was told, in a sentence. */
  summary: string;
  source: string;
  /** Place within its subject. */
  sequence: number;
  episode?: string;
  /** The trace it was made in. */
  traceId?: string;
  /** What was seen and how it was confirmed, on a change of a target's state. */
  change?: Pick<
    HealthEventData,
    'from' | 'to' | 'confidence' | 'evidence' | 'votes' | 'confirmedAt' | 'detectionMs' | 'told'
  >;
  /** Present on what was told to nobody. */
  suppressed?: Suppression[];
  /** What had kept back the change that this event makes up for. */
  reconciles?: string[];
  steps: Step[];
  /** Those who were, or were to be, told first. */
  subscriptions: SubscriptionStory[];
  /** Subscriptions beside those. */
  subscriptionsLeftOut: number;
}

/** Why somebody was told of a subject around a time, or was not. */
export interface Explanation {
  subject: string;
  /** The time that was asked about; absent: the newest there is. */
  at?: string;
  /** Last position of the log when it was read. */
  head: number;
  /** The whole answer in a sentence. */
  summary: string;
  /** What is recorded about that time, oldest first. */
  events: EventStory[];
  /** The nearest ones about the subject outside of that time. */
  before?: EventName;
  after?: EventName;
  /** What else the log has of that time and bears on it: votes that were refused, observers that were cut off, changes of the declaration. */
  beside: EventName[];
}
