import { type HealthEventData, healthEventDataSchema, HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import { type RecordedEvent, shardOf } from '@tocsin/domain';
import { spanContextOf } from '@tocsin/tracing';
import { explainMatch, type MatchAnswer } from '../match/explain-match.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { EventLedger } from './event-ledger.js';
import { eventName } from './event-name.js';
import { stepsOf } from './steps.js';
import type { EventStory, SubscriptionStory } from './story.js';
import { eventSummary } from './summary.js';
import { subscriptionStory } from './subscription-story.js';
import { suppressionsOf } from './suppression.js';

/** Subscriptions in one answer: more than that nobody reads, and each is looked up in the ledger. */
const MOST_SUBSCRIPTIONS = 200;

/** Tells the story of one event, from what was seen to the last attempt. */
export class EventStories {
  constructor(
    private readonly parts: {
      log: Pick<LogSource, 'before' | 'get'>;
      ledger: EventLedger;
      shards: number;
    },
  ) {}

  /**
   * @param book every revision of the subscriptions that are to be looked at
   * @param only of this subscription, also where there was none of that name
   * @throws TocsinError as {@link LogSource.read}
   */
  async of(event: RecordedEvent, book: SubscriptionBook, only?: string): Promise<EventStory> {
    const [suppressed, { subscriptions, leftOut }] = await Promise.all([
      suppressionsOf(event, this.parts.log),
      this.#subscriptions(event, book, only === undefined ? book.names : [only]),
    ]);
    const traceId = spanContextOf(event.extensions['traceparent'])?.traceId;
    const { episode, reconciles } = event.extensions;
    const change = changeOf(event);
    const told = {
      ...eventName(event),
      ...(change === undefined ? {} : { change: shown(change) }),
      ...(suppressed.length === 0 ? {} : { suppressed }),
      subscriptions,
      subscriptionsLeftOut: leftOut,
    };
    return {
      ...told,
      summary: eventSummary(told, only),
      source: event.source,
      sequence: event.version,
      ...(typeof episode === 'string' ? { episode } : {}),
      ...(traceId === undefined ? {} : { traceId }),
      ...(typeof reconciles === 'string' ? { reconciles: reconciles.split(',') } : {}),
      steps: stepsOf(event, { change, suppressed, subscriptions, traceId }),
    };
  }

  async #subscriptions(
    event: RecordedEvent,
    book: SubscriptionBook,
    names: readonly string[],
  ): Promise<{ subscriptions: SubscriptionStory[]; leftOut: number }> {
    const answers = names
      .map((name): [string, MatchAnswer] => [name, explainMatch(book.revisionsOf(name), event)])
      .sort(([, one], [, other]) => rank(one) - rank(other));
    const looked = answers.slice(0, MOST_SUBSCRIPTIONS);
    const fates = await this.parts.ledger.fates(
      event,
      looked.map(([name]) => name),
      (name) => shardOf(name, this.parts.shards),
    );
    const subscriptions = looked.flatMap(([name, answer]) => {
      const fate = fates.get(name);
      return fate === undefined ? [] : [subscriptionStory(name, event, answer, fate)];
    });
    return { subscriptions, leftOut: answers.length - looked.length };
  }
}

/** Who was to be told comes first, then who would have been but for something, then who had nothing to do with it. */
function rank(answer: MatchAnswer): number {
  if (answer.matched) return 0;
  if (answer.clause === 'withheld') return 1;
  return answer.clause === 'type' ? 3 : 2;
}

function changeOf(event: RecordedEvent): HealthEventData | undefined {
  return event.source === HEALTH_PROBE_SOURCE ? healthEventDataSchema.safeParse(event.data).data : undefined;
}

function shown({ from, to, confidence, evidence, votes, confirmedAt, detectionMs, told }: HealthEventData) {
  return {
    ...{ from, to, confidence, evidence, confirmedAt, detectionMs },
    ...(votes === undefined ? {} : { votes }),
    ...(told === undefined ? {} : { told }),
  };
}
