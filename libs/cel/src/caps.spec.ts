import { isTocsinError } from '@tocsin/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COSTLY, eventWith, expressions, HEAVY } from './expressions.harness.js';
import { askFilter, checkFilter } from './filter.js';

/** Nobody may keep the others waiting for longer, milliseconds. */
const LONGEST_MS = 100;

const heavy = eventWith({ ...HEAVY });

/** Processor time of this thread that `work` takes, milliseconds: others may use the machine meanwhile. */
function costOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const used = process.threadCpuUsage(before);
  return (used.user + used.system) / 1_000;
}

/** Declares a filter and asks it, as services do. True if it was taken. */
function use(filter: string): boolean {
  try {
    checkFilter(filter);
  } catch (error) {
    if (!isTocsinError(error, 'TCN_INVALID')) throw error;
    expect(error.faults).toEqual([{ pointer: '/filter', detail: expect.stringMatching(/^line \d+, column \d+: ./s) }]);
    return false;
  }
  const mismatch = askFilter({ types: ['*'], labels: {}, filter }, heavy);
  expect(mismatch === undefined || mismatch.clause === 'filter').toBe(true);
  return true;
}

describe('whatever somebody declares as a filter', () => {
  // Turning an event into what expressions see is done once for all filters, and is no filter's cost.
  askFilter({ types: ['*'], labels: {}, filter: 'true' }, heavy);

  it.each(COSTLY)(`takes less than ${LONGEST_MS} ms of a processor: %s`, (filter) => {
    const times = [0, 1].map(() => costOf(() => use(filter)));
    expect(Math.min(...times)).toBeLessThan(LONGEST_MS);
  });

  it('is refused with a place, or answers in time', () => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.oneof({ weight: 4, arbitrary: expressions }, fc.string({ unit: 'grapheme', maxLength: 200 })),
        (filter) => {
          const times = [costOf(() => (taken += use(filter) ? 1 : 0))];
          // A collection of garbage may fall into any of them.
          if ((times[0] ?? 0) >= LONGEST_MS) times.push(costOf(() => use(filter)));
          expect(Math.min(...times)).toBeLessThan(LONGEST_MS);
        },
      ),
      { numRuns: 1_000 },
    );
    expect(taken).toBeGreaterThan(20);
  });

  it('gives the same answer each time', () => {
    for (const filter of COSTLY) {
      const ask = () => askFilter({ types: ['*'], labels: {}, filter }, heavy);
      expect(ask()).toEqual(ask());
    }
  });

  it('is refused in time up to the cap and beyond', () => {
    const repeated = [
      '(',
      '[',
      '{1:',
      '!',
      '-',
      'a.',
      'a[',
      'f(',
      'a?b:',
      '1+',
      'a||',
      '"',
      '//',
      '\\',
      'x.all(y,',
      'a<',
    ];
    for (const piece of repeated) {
      for (const length of [500, 2_048, 20_000]) {
        const filter = piece.repeat(Math.ceil(length / piece.length)).slice(0, length);
        expect(
          costOf(() => use(filter)),
          piece,
        ).toBeLessThan(LONGEST_MS);
      }
    }
  });
});
