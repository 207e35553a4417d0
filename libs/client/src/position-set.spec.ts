import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PositionSet } from './position-set.js';

describe('a set of positions', () => {
  it('holds exactly what was added, in as few ranges as there can be', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 6 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), (ranges) => {
        const set = new PositionSet();
        const model = new Set<number>();
        for (const [from, more] of ranges) {
          set.add(from, from + more);
          for (let position = from; position <= from + more; position++) model.add(position);
        }
        for (let position = 0; position <= 50; position++) expect(set.has(position)).toBe(model.has(position));
        const starts = [...model].filter((position) => !model.has(position - 1));
        expect(set.size).toBe(starts.length);
        expect(set.last).toBe(Math.max(0, ...model));
      }),
    );
  });

  it('forgets what lies wholly before a position, but never where it stands', () => {
    const set = new PositionSet();
    set.add(1, 3);
    set.add(7, 9);
    set.forget(20);
    expect([set.has(2), set.has(8), set.last]).toEqual([false, true, 9]);
  });
});
