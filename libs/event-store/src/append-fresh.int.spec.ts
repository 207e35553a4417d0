import type { EventToAppend } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Appender } from './appender.js';
import { findings, newEvent, openLog, outcome, type TestLog } from './log.harness.js';

let test: TestLog;
let ways: string[];
let appender: Appender;
beforeEach(async () => {
  test = await openLog();
  ways = [];
  const database: Queryable = {
    query: (sql, parameters, name) => {
      const way = /log\.append\w*/.exec(sql)?.[0];
      if (way !== undefined) ways.push(way);
      return test.database.query(sql, parameters, name);
    },
  };
  appender = test.rival({ database });
  await appender.becomeLeader();
});
afterEach(() => test.close());

const placesOf = (answers: { position: number; version: number }[][]) =>
  answers.map((answer) => answer.map(({ position, version }) => [position, version]));

describe('the short way into the log', () => {
  it('numbers events that share subjects, within an append and among those of one batch', async () => {
    const about = (subject: string): EventToAppend => newEvent({ subject });
    await appender.append({ events: [about('a'), about('b')] });
    const answers = await Promise.all([
      appender.append({ events: [about('b'), about('a'), about('b')] }),
      appender.append({ events: [about('c')] }),
      appender.append({ events: [about('a'), about('c')] }),
    ]);
    expect(placesOf(answers)).toEqual([[[3, 2], [4, 2], [5, 3]], [[6, 1]], [[7, 3], [8, 2]]]); // prettier-ignore
    expect(ways).toEqual(['log.append_fresh', 'log.append_fresh']);
    expect(await findings(test.log)).toEqual([]);
  });

  it('checks expected versions, and leaves to the long way who is to blame', async () => {
    const [first, second, third] = [newEvent({ subject: 'a' }), newEvent({ subject: 'a' }), newEvent({ subject: 'b' })];
    await appender.append({ events: [first], expect: { a: 0 } });
    await appender.append({ events: [second], expect: { a: 1 } });
    expect(ways).toEqual(['log.append_fresh', 'log.append_fresh']);
    const codes = await Promise.all([
      outcome(appender.append({ events: [newEvent({ subject: 'a' })], expect: { a: 1 } })),
      outcome(appender.append({ events: [third], expect: { b: 0 } })),
    ]);
    expect(codes).toEqual(['TCN_VERSION_CONFLICT', 'done']);
    expect(ways.slice(2)).toEqual(['log.append_fresh', 'log.append']);
    expect(await test.log.head()).toBe(3);
  });

  it('is left where a version is expected of a subject that nothing is said about', async () => {
    await appender.append({ events: [newEvent({ subject: 'a' })] });
    const about = newEvent({ subject: 'b' });
    expect(await outcome(appender.append({ events: [about], expect: { a: 2 } }))).toBe('TCN_VERSION_CONFLICT');
    expect(await outcome(appender.append({ events: [about], expect: { a: 1 } }))).toBe('done');
    expect(ways.slice(1)).toEqual(['log.append', 'log.append']);
  });

  it('is left for a while after a repeat, whose neighbours are recorded once', async () => {
    const known = newEvent();
    await appender.append({ events: [known] });
    const [repeat, fresh] = await Promise.all([
      appender.append({ events: [known] }),
      appender.append({ events: [newEvent()] }),
    ]);
    expect(repeat).toMatchObject([{ position: 1, repeated: true }]);
    expect(fresh).toMatchObject([{ position: 2, repeated: false }]);
    expect(ways).toEqual(['log.append_fresh', 'log.append_fresh', 'log.append']);
    for (let more = 0; more < 16; more += 1) await appender.append({ events: [newEvent()] });
    expect(ways.slice(3)).toEqual([...Array.from({ length: 15 }, () => 'log.append'), 'log.append_fresh']);
    expect(await findings(test.log)).toEqual([]);
  });

  it('leads where the long way leads, whatever is repeated, expected and shared', async () => {
    const other = await openLog();
    const barred: Queryable = {
      query: (sql, parameters) =>
        sql.includes('log.append_fresh')
          ? other.database.query(`SELECT 'barred'::int`)
          : other.database.query(sql, parameters),
    };
    const long = other.rival({ database: barred });
    await long.becomeLeader();
    try {
      const appends = fc.array(
        fc.record({
          events: fc.array(fc.tuple(fc.nat(40), fc.nat(4)), { minLength: 1, maxLength: 4 }),
          expect: fc.option(fc.tuple(fc.nat(4), fc.nat(6)), { nil: undefined }),
        }),
        { minLength: 1, maxLength: 12 },
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(appends, async (asked) => {
          run += 1;
          const requests = asked.map(({ events, expect: expected }) => ({
            events: events.map(([id, subject]) => ({
              ...newEvent({ id: `r${run}-${id}`, subject: `s${run}-${subject}` }),
              data: null,
            })),
            ...(expected === undefined ? {} : { expect: { [`s${run}-${expected[0]}`]: expected[1] } }),
          }));
          const told = async (to: Appender) => {
            const answers: unknown[] = [];
            for (const request of requests) {
              answers.push(await to.append(request).catch((error: unknown) => (error as { code: string }).code));
            }
            return JSON.stringify(answers).replaceAll(/"recordedAt":"[^"]*"/g, '');
          };
          expect(await told(appender)).toBe(await told(long));
        }),
        { numRuns: 40 },
      );
      expect(new Set(ways)).toEqual(new Set(['log.append_fresh', 'log.append']));
      expect(await findings(test.log)).toEqual([]);
    } finally {
      await long.stepDown();
      await other.close();
    }
  });
});
