import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesArray, intArray, longArray, textArray, timeArray } from './binary-array.js';
import { openLog, type TestLog } from './log.harness.js';

let test: TestLog;
beforeAll(async () => {
  test = await openLog();
});
afterAll(() => test.close());

/** What Postgres understands, as JSON. */
async function understood(array: Buffer, type: string): Promise<unknown> {
  const [row] = await test.database.query<{ is: unknown }>(
    `SELECT coalesce(array_to_json($1::${type}[]), '[]') AS is, cardinality($1::${type}[])`,
    [array],
  );
  return row?.is;
}

describe('arrays in binary', () => {
  it('hold any text that can be stored, and NULL', async () => {
    const texts = fc.array(
      fc.option(
        fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', '').toWellFormed()),
        { nil: null },
      ),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        expect(await understood(textArray(given), 'text')).toEqual(given);
      }),
      { numRuns: 50 },
    );
  });

  it('hold JSON as it is spelled', async () => {
    const [row] = await test.database.query<{ is: string }>('SELECT ($1::json[])[1]::text AS is', [
      textArray(['{"b": 1e3,"a":"ü"}'], 'json'),
    ]);
    expect(row?.is).toBe('{"b": 1e3,"a":"ü"}');
  });

  it('hold bytes and numbers', async () => {
    expect(await understood(bytesArray(['00ff', null, '']), 'bytea')).toEqual([
      String.raw`\x00ff`,
      null,
      String.raw`\x`,
    ]);
    expect(await understood(intArray([0, -1, 2_147_483_647]), 'int')).toEqual([0, -1, 2_147_483_647]);
    expect(await understood(longArray([0, null, -1, Number.MAX_SAFE_INTEGER]), 'bigint')).toEqual([
      0,
      null,
      -1,
      Number.MAX_SAFE_INTEGER,
    ]);
  });

  it('hold times from the year 1 to the year 9999, to the millisecond', async () => {
    const times = ['0001-01-01T00:00:00.000Z', '1999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'];
    const [row] = await test.database.query<{ is: string[] }>(
      `SELECT array(SELECT to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM unnest($1::timestamptz[]) AS at) AS is`,
      [timeArray(times.map((time) => Date.parse(time)))],
    );
    expect(row?.is).toEqual(times);
  });

  it('may be empty', async () => {
    for (const [array, type] of [
      [textArray([]), 'text'],
      [intArray([]), 'int'],
      [longArray([]), 'bigint'],
    ] as const)
      expect(await understood(array, type)).toEqual([]);
  });
});
