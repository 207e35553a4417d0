import type { EventName, EventStory, Explanation, SubscriptionStory } from './story.js';

type Told = Pick<
  EventStory,
  'subject' | 'change' | 'type' | 'time' | 'position' | 'subscriptions' | 'suppressed' | 'subscriptionsLeftOut'
>;

type Answered = Pick<Explanation, 'subject' | 'at' | 'events' | 'before' | 'after' | 'beside'>;

/** The whole explanation in a sentence or two. */
export function summaryOf(answer: Answered): string {
  const { subject, at, events, before, after } = answer;
  if (events.length === 0) {
    if (before === undefined && after === undefined)
      return `nothing is recorded about ${subject}, so nobody was told of anything${doubts(answer)}`;
    const when = at === undefined ? '' : ` around ${at}`;
    const nearest = [named('before', before), named('after', after)].filter((text) => text !== undefined).join(', ');
    return `nothing is recorded about ${subject}${when}, so nobody was told; the nearest ${nearest}${doubts(answer)}`;
  }
  return events.map((event) => event.summary).join('; ');
}

/** What happened, and who was told, in a sentence. */
export function eventSummary(event: Told, only: string | undefined): string {
  return `${whatHappened(event)}: ${whoWasTold(event, only)}`;
}

function named(where: string, event: EventName | undefined): string | undefined {
  return event === undefined ? undefined : `${where}: ${event.type} at ${event.time} (event ${event.position})`;
}

/** Nothing was announced, and yet somebody saw something. */
function doubts({ beside }: Answered): string {
  const telling = beside.filter(({ type }) => !type.startsWith('io.tocsin.target.'));
  return telling.length === 0
    ? ''
    : `; but see ${telling.map(({ type, position }) => `${type} (event ${position})`).join(', ')}`;
}

function whatHappened({ subject, change, type, time, position }: Told): string {
  const what = change === undefined ? type : `${change.from} → ${change.to}`;
  return `${subject} ${what} at ${time} (event ${position})`;
}

function whoWasTold({ subscriptions, suppressed, subscriptionsLeftOut }: Told, only: string | undefined): string {
  const suppression = suppressed?.map(({ text }) => text).join(', ');
  const [single] = subscriptions;
  if (only !== undefined && single !== undefined) {
    return suppression === undefined ? `${only} was ${single.answer}` : `${only} was not told: ${suppression}`;
  }
  if (suppression !== undefined) return `nobody was told: ${suppression}`;
  const of = (...outcomes: SubscriptionStory['outcome'][]): number =>
    subscriptions.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const told = of('delivered');
  const waiting = of('pending', 'parked', 'under-way');
  const lost = of('dead', 'unaccounted');
  const superseded = of('superseded');
  const rest = of('not-matched') + subscriptionsLeftOut;
  const parts = [
    `${told} told`,
    ...(waiting === 0 ? [] : [`${waiting} waiting`]),
    ...(superseded === 0 ? [] : [`${superseded} superseded`]),
    ...(lost === 0 ? [] : [`${lost} not told`]),
    ...(rest === 0 ? [] : [`${rest} had not asked for it`]),
  ];
  return `of ${subscriptions.length + subscriptionsLeftOut} subscriptions ${parts.join(', ')}`;
}
