import type { EventName, EventStory, Explanation, SubscriptionStory } from '@tocsin/delivery';
import { cell } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { tableLines } from '../command-line/table.js';

/** An explanation for people: the answer first, then how it came about. */
export function explanationLines(explanation: Explanation): string[] {
  const { summary, events, beside, before, after } = explanation;
  return [
    ...(events.length === 0 ? [summary] : events.map((event) => event.summary)).map((line) => paint.bold(cell(line))),
    ...events.flatMap((event) => ['', ...storyLines(event)]),
    ...(beside.length === 0 ? [] : ['', 'Around that time also:', ...beside.map((event) => `  ${nameText(event)}`)]),
    ...nearestLines(events.length > 0 ? [] : [before, after]),
  ];
}

/** The story of one event: what was seen, then whom it went to. */
export function storyLines(story: EventStory): string[] {
  const { steps, subscriptions, subscriptionsLeftOut, suppressed, reconciles, traceId } = story;
  const seen = steps
    .filter(({ subscription, what }) => subscription === undefined && what !== 'withheld')
    .map(({ at, what, text }) => [`  ${paint.dim(cell(at))}`, what, cell(text)]);
  return [
    nameText(story),
    ...columns(seen),
    ...(suppressed ?? []).map(({ text }) => `  ${paint.yellow('withheld')}  ${cell(text)}`),
    ...(reconciles === undefined
      ? []
      : [`  it makes up for what was kept back before: ${cell(reconciles.join(', '))}`]),
    ...columns(subscriptions.map(subscriptionCells), subscriptions.map(attemptLines)),
    ...(subscriptionsLeftOut === 0 ? [] : [`  … and ${subscriptionsLeftOut} more, which --for asks about`]),
    ...(traceId === undefined ? [] : [paint.dim(`  trace ${cell(traceId)}`)]),
  ];
}

/** Everything that happened to an event, in one order of time. */
export function timelineLines(story: EventStory): string[] {
  const rows = story.steps.map(({ at, what, subscription, text, traceId }) => [
    `  ${paint.dim(cell(at))}`,
    what,
    subscription === undefined ? '' : cell(subscription),
    cell(text),
    traceId === undefined ? '' : paint.dim(cell(traceId)),
  ]);
  const silent = story.subscriptions.filter(({ attempts }) => attempts.length === 0);
  return [nameText(story), ...columns(rows), ...columns(silent.map(subscriptionCells))];
}

function nearestLines(events: readonly (EventName | undefined)[]): string[] {
  const names = events.filter((event) => event !== undefined).map((event) => `  ${nameText(event)}`);
  return names.length === 0 ? [] : ['', 'The nearest:', ...names];
}

function nameText({ position, time, type, subject, reason, withheld }: EventName): string {
  const mark = withheld === true ? `  ${paint.yellow('(told to nobody)')}` : '';
  const why = reason === undefined ? '' : `  ${paint.dim(cell(reason))}`;
  return `#${position}  ${cell(time)}  ${paint.bold(cell(type))}  ${cell(subject)}${why}${mark}`;
}

function subscriptionCells({ subscription, outcome, answer }: SubscriptionStory): string[] {
  return [`  ${markOf(outcome)} ${cell(subscription)}`, cell(answer)];
}

/** One attempt that went well is in the answer already. */
function attemptLines({ attempts, outcome }: SubscriptionStory): string[] {
  if (attempts.length === 0 || (attempts.length === 1 && outcome === 'delivered')) return [];
  return attempts.map(({ startedAt, number, status, errorClass, phasesMs, nextAt, traceId }) => {
    const took = phasesMs['total'] === undefined ? '' : ` in ${Math.round(phasesMs['total'])} ms`;
    const next = nextAt === null ? '' : `, next at ${nextAt}`;
    const trace = traceId === null ? '' : `  ${paint.dim(`trace ${cell(traceId)}`)}`;
    return `      ${paint.dim(cell(startedAt))}  attempt ${number}: ${cell(status ?? errorClass)}${took}${next}${trace}`;
  });
}

function markOf(outcome: SubscriptionStory['outcome']): string {
  if (outcome === 'delivered') return paint.green('✔');
  if (outcome === 'not-matched' || outcome === 'superseded') return paint.dim('–');
  return outcome === 'dead' || outcome === 'unaccounted' ? paint.red('✘') : paint.yellow('…');
}

/** Rows under each other without a head; behind each, what belongs to it. */
function columns(rows: readonly (readonly string[])[], below: readonly (readonly string[])[] = []): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  return tableLines(
    first.map(() => ''),
    rows,
  )
    .slice(1)
    .flatMap((line, index) => [line, ...(below[index] ?? [])]);
}
