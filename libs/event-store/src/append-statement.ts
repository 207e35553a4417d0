import type { Appended } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { intArray } from './binary-array.js';
import { eventColumns } from './event-columns.js';
import { keyReused, recordedEvent, sizeOf, type PreparedAppend } from './prepared-append.js';
import type { SizedEvent } from './recent-events.js';

/** See `schema/append.ts`. */
const APPEND = `
SELECT log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS answer`;

interface Answer {
  before: number;
  recordedAt: number;
  versions: number[] | null;
  known: [ordinal: number, position: number, version: number, recordedAtMs: number][] | null;
  reused: number[] | null;
  conflicts: [index: number, actual: number][] | null;
}

/** What became of an append: where its events stand, or why none of them was recorded. */
export type AppendOutcome = { events: Appended[] } | { error: TocsinError };

/** What became of a batch. */
export interface BatchOutcome {
  /** One per append, in order. */
  outcomes: AppendOutcome[];
  /** What is new in the log, in order of position. */
  recorded: SizedEvent[];
  /** Head of the log afterwards. */
  head: number;
}

/** Records a batch in one transaction and one round trip. */
export async function appendBatch(
  database: Queryable,
  epoch: number,
  appends: readonly PreparedAppend[],
  newTypes: readonly string[],
): Promise<BatchOutcome> {
  const [row] = await database.query<{ answer: Answer }>(APPEND, parameters(epoch, appends, newTypes));
  if (row === undefined) throw new TocsinError('TCN_INTERNAL', 'log.append gave no answer');
  return read(row.answer, appends);
}

function parameters(epoch: number, appends: readonly PreparedAppend[], newTypes: readonly string[]): unknown[] {
  const events = appends.flatMap((append) => append.events);
  const expect = appends.flatMap((append, index) => append.expect.map((each) => ({ index, ...each })));
  return [
    epoch,
    intArray(appends.flatMap((append, index) => append.events.map(() => index))),
    ...eventColumns(events, 'text'),
    expect.map((each) => each.index),
    expect.map((each) => each.subject),
    expect.map((each) => each.version),
    newTypes,
  ];
}

function read(answer: Answer, appends: readonly PreparedAppend[]): BatchOutcome {
  const errors = errorsOf(answer, appends);
  const known = new Map((answer.known ?? []).map(([ordinal, ...place]) => [ordinal, place]));
  const versions = answer.versions ?? [];
  const recordedAt = new Date(answer.recordedAt).toISOString();
  const recorded: SizedEvent[] = [];
  let ordinal = 0;
  const outcomes = appends.map((append, index): AppendOutcome => {
    const error = errors.get(index);
    if (error !== undefined) {
      ordinal += append.events.length;
      return { error };
    }
    const places = append.events.map((event): Appended => {
      const { id } = event;
      const place = known.get(ordinal);
      ordinal += 1;
      if (place !== undefined) {
        const [position, version, at] = place;
        return { id, position, version, recordedAt: new Date(at).toISOString(), repeated: true };
      }
      const version = versions[recorded.length] ?? Number.NaN;
      const stands = { position: answer.before + recorded.length + 1, version, recordedAt };
      recorded.push({ event: recordedEvent(event, stands), bytes: sizeOf(event) });
      return { id, ...stands, repeated: false };
    });
    const events = append.asked.flatMap(({ index: at, first }) => {
      const place = places[at];
      return place === undefined ? [] : [first ? place : { ...place, repeated: true }];
    });
    return { events };
  });
  if (recorded.length !== versions.length)
    throw new TocsinError('TCN_INTERNAL', 'log.append recorded other events than it was given');
  return { outcomes, recorded, head: answer.before + recorded.length };
}

/** Why appends failed, by their index. A key with other content is named before a version that does not hold. */
function errorsOf(answer: Answer, appends: readonly PreparedAppend[]): Map<number, TocsinError> {
  const errors = new Map<number, TocsinError>();
  const events = appends.flatMap((append, index) => append.events.map((event) => ({ index, event })));
  const expect = appends.flatMap((append, index) => append.expect.map((each) => ({ index, ...each })));
  for (const ordinal of answer.reused ?? []) {
    const culprit = events[ordinal];
    if (culprit !== undefined && !errors.has(culprit.index)) errors.set(culprit.index, keyReused(culprit.event));
  }
  for (const [at, actual] of answer.conflicts ?? []) {
    const failed = expect[at];
    if (failed === undefined || errors.has(failed.index)) continue;
    const detail = `subject "${failed.subject}" is at version ${actual}, not ${failed.version}`;
    errors.set(failed.index, new TocsinError('TCN_VERSION_CONFLICT', detail));
  }
  return errors;
}
