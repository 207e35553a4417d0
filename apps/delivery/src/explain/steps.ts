import { type HealthEventData } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import type { Step, SubscriptionStory, Suppression } from './story.js';
import { attemptText } from './subscription-story.js';

/** What happened to an event, in the order of time: probes, votes, confirmation, recording, what kept it back, attempts. */
export function stepsOf(
  event: RecordedEvent,
  parts: {
    change: HealthEventData | undefined;
    suppressed: readonly Suppression[];
    subscriptions: readonly SubscriptionStory[];
    traceId: string | undefined;
  },
): Step[] {
  const steps = [
    ...(parts.change === undefined ? [] : observed(parts.change)),
    recorded(event, parts.traceId),
    ...parts.suppressed.map((one): Step => ({ at: event.recordedAt, what: 'withheld', text: one.text })),
    ...parts.subscriptions.flatMap(told),
  ];
  // Stable: what is of the same moment stays in the order in which it follows from each other.
  return steps.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}

/** The owner of the target has the first word, and every further one of his is a probe; those of others are votes. */
function observed({ evidence, votes, confidence, confirmedAt, detectionMs }: HealthEventData): Step[] {
  const owner = evidence[0]?.observer;
  const words = evidence.map(({ observer, at, outcome, phase, detail, durationMs }): Step => {
    const where = phase === undefined ? '' : ` at ${phase}`;
    const why = detail === undefined || detail === '' ? '' : `: ${detail}`;
    const text = `${observer}: ${outcome}${where} after ${Math.round(durationMs)} ms${why}`;
    return { at, what: observer === owner ? 'probe' : 'vote', text };
  });
  if (words.length === 0) return [];
  const count = votes === undefined ? '' : `, ${votes.fail} fail, ${votes.pass} pass, ${votes.abstain} abstain`;
  const who = confidence === 'quorum' ? `by a quorum${count}` : `by one observer${count}`;
  const text = `${who}, ${seconds(detectionMs)} after the first probe`;
  return [...words, { at: confirmedAt, what: 'confirmed', text }];
}

function recorded(event: RecordedEvent, traceId: string | undefined): Step {
  const text = `${event.type}, position ${event.position}`;
  return { at: event.recordedAt, what: 'recorded', text, ...(traceId === undefined ? {} : { traceId }) };
}

function told(story: SubscriptionStory): Step[] {
  const { subscription, attempts, outcome, at, nextAttemptAt } = story;
  const steps = attempts.map((attempt): Step => {
    const { startedAt, number, nextAt, traceId } = attempt;
    const next = nextAt === null ? '' : `; next at ${nextAt}`;
    const good = attempt.outcome === 'delivered' ? ', delivered' : '';
    return {
      ...{ at: startedAt, what: 'attempt', subscription },
      text: `attempt ${number}: ${attemptText(attempt)}${good}${next}`,
      ...(traceId === null ? {} : { traceId }),
    };
  });
  if (outcome === 'superseded' && at !== undefined) {
    steps.push({ at, what: 'superseded', subscription, text: story.answer });
  } else if (outcome === 'dead' && at !== undefined) {
    steps.push({ at, what: 'given-up', subscription, text: story.answer });
  } else if (nextAttemptAt !== undefined) {
    steps.push({ at: nextAttemptAt, what: 'next-attempt', subscription, text: 'next attempt' });
  }
  return steps;
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
