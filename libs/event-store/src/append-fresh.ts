import type { Appended } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { sqlState, type Queryable } from '@tocsin/postgres';
import type { BatchOutcome } from './append-statement.js';
import { blamesData } from './blames-data.js';
import { intArray, longArray, textArray } from './binary-array.js';
import { eventColumns } from './event-columns.js';
import { recordedEvent, sizeOf, type PreparedAppend, type PreparedEvent } from './prepared-append.js';
import type { SizedEvent } from './recent-events.js';

/** See `schema/append-fresh.ts`. */
const APPEND_FRESH = `
SELECT log.append_fresh($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) AS answer`;

interface Answer {
  before: number;
  recordedAt: number;
  versions: number[];
}

/** A subject that moves in a batch. */
interface Moved {
  /** Its index among them, from 1. */
  index: number;
  events: number;
  /** Ordinal of its last event, from 1. */
  last: number;
  /** Version it must be at before; null for any. */
  expected: number | null;
}

/** Raised by `log.append_fresh` where a subject is at another version than expected. */
const CONFLICT_STATE = 'TCN02';

/**
 * Records a batch in one transaction and one round trip; a cheaper way than `appendBatch`, where nothing in it was recorded before and
 * every expectation holds.
 * @returns undefined where that is not so: nothing has happened then
 */
export async function appendFresh(
  database: Queryable,
  epoch: number,
  appends: readonly PreparedAppend[],
  newTypes: readonly string[],
): Promise<BatchOutcome | undefined> {
  const events = appends.flatMap((append) => append.events);
  const { moved, places } = movedSubjects(events);
  const expect = appends.flatMap((append) => append.expect);
  for (const { subject: name, version } of expect) {
    const subject = moved.get(name);
    if (subject === undefined) return undefined;
    subject.expected = version;
  }
  const subjects = [...moved.values()];
  const parameters = [
    epoch,
    ...eventColumns(events, 'json'),
    intArray(places.map(({ subject }) => subject.index)),
    intArray(places.map(({ subject, nth }) => subject.events - nth)),
    textArray([...moved.keys()]),
    intArray(subjects.map((subject) => subject.events)),
    intArray(subjects.map((subject) => subject.last)),
    longArray(expect.length === 0 ? [] : subjects.map((subject) => subject.expected)),
    newTypes,
  ];
  const answer = await ask(database, parameters);
  if (answer === undefined) return undefined;
  const { before, recordedAt: recordedAtMs, versions } = answer;
  const recordedAt = new Date(recordedAtMs).toISOString();
  const recorded = events.map((event, ordinal): SizedEvent => {
    const { subject, nth } = places[ordinal] ?? NOWHERE;
    const version = (versions[subject.index - 1] ?? Number.NaN) - subject.events + nth;
    const place = { position: before + ordinal + 1, version, recordedAt };
    return { event: recordedEvent(event, place), bytes: sizeOf(event) };
  });
  let first = 0;
  const outcomes = appends.map((append) => {
    const own = recorded.slice(first, (first += append.events.length));
    return { events: append.asked.flatMap((asked) => toldOf(own[asked.index], asked.first)) };
  });
  return { outcomes, recorded, head: before + recorded.length };
}

async function ask(database: Queryable, parameters: readonly unknown[]): Promise<Answer | undefined> {
  try {
    const [row] = await database.query<{ answer: Answer }>(APPEND_FRESH, parameters, 'append_fresh');
    if (row === undefined) throw new TocsinError('TCN_INTERNAL', 'log.append_fresh gave no answer');
    return row.answer;
  } catch (error) {
    if (sqlState(error) === CONFLICT_STATE || blamesData(error)) return undefined;
    throw error;
  }
}

const NOWHERE = { subject: { index: 0, events: 0, last: 0, expected: null }, nth: 0 };

/** The subjects of a batch in the order in which they come up, and for each event its subject and the how many-eth of it that is. */
function movedSubjects(events: readonly PreparedEvent[]): {
  moved: Map<string, Moved>;
  places: { subject: Moved; nth: number }[];
} {
  const moved = new Map<string, Moved>();
  const places = events.map((event, ordinal) => {
    let subject = moved.get(event.subject);
    if (subject === undefined)
      moved.set(event.subject, (subject = { index: moved.size + 1, events: 0, last: 0, expected: null }));
    subject.events += 1;
    subject.last = ordinal + 1;
    return { subject, nth: subject.events };
  });
  return { moved, places };
}

function toldOf(recorded: SizedEvent | undefined, first: boolean): Appended[] {
  if (recorded === undefined) return [];
  const { id, position, version, recordedAt } = recorded.event;
  return [{ id, position, version, recordedAt, repeated: !first }];
}
