import { OBSERVER_EVENTS, targetDeclaredSchema, targetSubject } from '@tocsin/contracts';
import { type RecordedEvent, TocsinError } from '@tocsin/domain';
import type { LogSource } from '../match/log-source.js';
import { declaredSubscriptions } from './declared-subscriptions.js';
import { eventName, field } from './event-name.js';
import type { EventStories } from './event-stories.js';
import type { EventStory, Explanation } from './story.js';
import { summaryOf } from './summary.js';

/** So far from the time that was asked about is still "about that time", milliseconds: people remember to some minutes. */
const ABOUT_MS = 10 * 60_000;
/** Events of the subject that are looked at around a time, and told in full. */
const MOST_LOOKED_AT = 100;
const MOST_TOLD = 10;
/** Events beside those of the subject. */
const MOST_BESIDE = 20;

/** What to explain. */
export interface Question {
  /** `<kind>/<name>`, or the name of a target alone. */
  subject: string;
  subscription?: string | undefined;
  /** Epoch milliseconds; undefined: the newest there is. */
  atMs?: number | undefined;
}

/** Says why somebody was told of something, or was not, for any moment in the past: from the log and the ledger alone. */
export class Explainer {
  constructor(private readonly parts: { log: LogSource; stories: EventStories; shards: number }) {}

  /**
   * What happened to a subject around a time, and who was told.
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async explain(question: Question): Promise<Explanation> {
    const { log } = this.parts;
    const { head } = await log.read({ after: 0, limit: 1 });
    const subject = await this.#subjectOf(question.subject);
    const { atMs } = question;
    const found = atMs === undefined ? await this.#newest(subject) : await this.#around(subject, atMs);
    const [beside, events] = await Promise.all([
      atMs === undefined ? [] : this.#beside(subject, atMs),
      this.#stories(found.events, question.subscription),
    ]);
    const { before, after } = found;
    const answer = {
      subject,
      ...(atMs === undefined ? {} : { at: new Date(atMs).toISOString() }),
      head,
      events,
      ...(before === undefined ? {} : { before: eventName(before) }),
      ...(after === undefined ? {} : { after: eventName(after) }),
      beside: beside.map(eventName),
    };
    return { ...answer, summary: summaryOf(answer) };
  }

  /**
   * The story of one event.
   * @param key its position, id or `webhook-id`
   * @throws TocsinError `TCN_NOT_FOUND`; as {@link explain}
   */
  async event(key: string, subscription?: string): Promise<EventStory> {
    const event = await this.parts.log.get(key);
    if (event === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no event ${key}`);
    const [story] = await this.#stories([event], subscription);
    if (story === undefined) throw new TocsinError('TCN_NOT_FOUND', `there is no event ${key}`);
    return story;
  }

  async #stories(events: readonly RecordedEvent[], subscription: string | undefined): Promise<EventStory[]> {
    if (events.length === 0) return [];
    const { log, stories, shards } = this.parts;
    const book = await declaredSubscriptions(log, { shards, only: subscription });
    return Promise.all(events.map((event) => stories.of(event, book, subscription)));
  }

  /** A name without a kind is a target's, unless something is recorded under it as it is. */
  async #subjectOf(given: string): Promise<string> {
    if (given.includes('/')) return given;
    const { log } = this.parts;
    const [[own], [target]] = await Promise.all([
      log.before({ subject: given, limit: 1 }),
      log.before({
        subject: `target/${given}`,
        types: ['io.tocsin.target.registered', 'io.tocsin.target.updated'],
        limit: 1,
      }),
    ]);
    const declared = targetDeclaredSchema.safeParse(target?.data).data;
    return own !== undefined || declared === undefined ? given : targetSubject(declared.spec.kind, given);
  }

  /** The newest event, and with it the rest of its episode. */
  async #newest(subject: string): Promise<Found> {
    const newest = await this.parts.log.before({ subject, limit: MOST_LOOKED_AT });
    const [last] = newest;
    if (last === undefined) return { events: [] };
    const episode = last.extensions['episode'];
    const ofEpisode = newest.filter(
      (event) => event === last || (episode !== undefined && event.extensions['episode'] === episode),
    );
    const events = ofEpisode.slice(0, MOST_TOLD).reverse();
    const before = newest.find((event) => event.position < (events[0]?.position ?? 0));
    return { events, ...(before === undefined ? {} : { before }) };
  }

  /** What is recorded about a time: events near it, and the one that began the state the subject was in. */
  async #around(subject: string, atMs: number): Promise<Found> {
    const { log } = this.parts;
    const until = new Date(atMs + ABOUT_MS).toISOString();
    const newestFirst = await log.before({ subject, until, limit: MOST_LOOKED_AT });
    const newest = newestFirst[0]?.position ?? (await log.positionBefore(atMs + ABOUT_MS));
    // What was recorded later may have become true earlier: its observer could not reach the log.
    const later = (await log.read({ after: newest, limit: MOST_LOOKED_AT, subject })).events;
    const all = [...newestFirst.toReversed(), ...later];
    const near = all.filter((event) => isAbout(event, atMs));
    const inForce = all.findLast((event) => Date.parse(event.time) <= atMs);
    const open = inForce !== undefined && opensSomething(inForce) && !near.includes(inForce) ? [inForce] : [];
    const events = [...open, ...near].slice(0, MOST_TOLD);
    const first = events[0];
    const before = all.findLast((event) =>
      first === undefined ? Date.parse(event.time) <= atMs : event.position < first.position,
    );
    const last = events.at(-1);
    const after = all.find((event) =>
      last === undefined ? Date.parse(event.time) > atMs : event.position > last.position,
    );
    return { events, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  }

  /** What bears on it without being about it: refused votes, observers that were cut off, the declaration of the target. */
  async #beside(subject: string, atMs: number): Promise<RecordedEvent[]> {
    const { log } = this.parts;
    const name = subject.slice(subject.indexOf('/') + 1);
    const until = new Date(atMs + ABOUT_MS).toISOString();
    const limit = MOST_BESIDE;
    const found = await Promise.all([
      log.before({ until, limit, subject: `vantage/${name}` }),
      log.before({ until, limit, subject: `target/${name}` }),
      log.before({ until, limit, types: [OBSERVER_EVENTS.isolated, OBSERVER_EVENTS.rejoined] }),
    ]);
    return found
      .flat()
      .filter((event) => isAbout(event, atMs))
      .sort((one, other) => one.position - other.position)
      .slice(-MOST_BESIDE);
  }
}

interface Found {
  /** Oldest first. */
  events: RecordedEvent[];
  before?: RecordedEvent;
  after?: RecordedEvent;
}

function isAbout({ time, recordedAt }: RecordedEvent, atMs: number): boolean {
  return [time, recordedAt].some((text) => Math.abs(Date.parse(text) - atMs) <= ABOUT_MS);
}

/** Does a state begin with it that is not the good one? Then it is about every time until its end. */
function opensSomething(event: RecordedEvent): boolean {
  const to = field(event, 'to');
  return typeof to === 'string' && to !== 'up';
}
