import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeBatch } from './batch.js';
import { prepareAppend, type PreparedAppend } from './prepared-append.js';

interface Entry {
  name: number;
  append: PreparedAppend;
}

let names = 0;
function entry(plan: { events: [id: number, subject: number][]; expect?: number[] }): Entry {
  names += 1;
  const events = plan.events.map(([id, subject]) => ({
    ...{ id: `e${id}`, source: '/s', type: 't', subject: `s${subject}`, time: '2026-01-01T00:00:00.000Z' },
  }));
  const expected = Object.fromEntries((plan.expect ?? []).map((subject) => [`s${subject}`, 0]));
  // The same id stands for the same event: its subject follows from it.
  return { name: names, append: prepareAppend({ events, expect: expected }) };
}

const LIMITS = { maxEvents: 100, maxBytes: 1_000_000 };
const subjectsOf = ({ append }: Entry): string[] => [
  ...append.events.map(({ subject }) => subject),
  ...append.expect.map(({ subject }) => subject),
];
const written = ({ append }: Entry): string[] => append.events.map(({ subject }) => subject);
const expectedOf = ({ append }: Entry): string[] => append.expect.map(({ subject }) => subject);
const keysOf = ({ append }: Entry): string[] => append.events.map(({ key }) => key);
const shared = (some: string[], others: string[]): string[] => some.filter((each) => others.includes(each));

describe('takeBatch', () => {
  it('takes appends that only share subjects they expect nothing of', () => {
    const queue = [entry({ events: [[1, 1]] }), entry({ events: [[2, 1], [3, 2]] }), entry({ events: [[4, 3]], expect: [3] })]; // prettier-ignore
    expect(takeBatch(queue, LIMITS)).toHaveLength(3);
    expect(queue).toEqual([]);
  });

  it('leaves a repeat, and an expectation another one may break, for the next batch; others pass', () => {
    const queue = [
      entry({ events: [[1, 1]] }),
      entry({ events: [[1, 1]] }),
      entry({ events: [[2, 2]], expect: [2] }),
      entry({ events: [[3, 2]], expect: [2] }),
      entry({ events: [[4, 2]] }),
      entry({ events: [[5, 5]] }),
    ];
    const [a, b, c, d, e, f] = queue.map(({ name }) => name);
    expect(takeBatch(queue, LIMITS).map(({ name }) => name)).toEqual([a, c, f]);
    expect(queue.map(({ name }) => name)).toEqual([b, d, e]);
    expect(takeBatch(queue, LIMITS).map(({ name }) => name)).toEqual([b, d]);
    expect(takeBatch(queue, LIMITS).map(({ name }) => name)).toEqual([e]);
  });

  it('takes one that is larger than a batch alone', () => {
    const events = Array.from({ length: 101 }, (_, n): [number, number] => [n, n]);
    const queue = [entry({ events }), entry({ events: [[200, 200]] })];
    expect(takeBatch(queue, LIMITS)).toHaveLength(1);
    expect(takeBatch(queue, { maxEvents: 100, maxBytes: 1 })).toHaveLength(1);
    expect(queue).toEqual([]);
  });

  it('lets no two of a batch meet, keeps the order of each subject, and leaves nobody behind', () => {
    const id = fc.integer({ min: 0, max: 30 });
    const plan = fc.record({
      events: fc.array(id.map((n): [number, number] => [n, n % 6]), { minLength: 1, maxLength: 4 }),
      expect: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 2 }),
    }); // prettier-ignore
    fc.assert(
      fc.property(fc.array(plan, { maxLength: 30 }), fc.integer({ min: 1, max: 12 }), (plans, maxEvents) => {
        const all = plans.map(entry);
        const queue = [...all];
        const taken: Entry[] = [];
        while (queue.length > 0) {
          const batch = takeBatch(queue, { maxEvents, maxBytes: 1_000_000 });
          expect(batch.length).toBeGreaterThan(0);
          for (const [index, later] of batch.entries()) {
            for (const earlier of batch.slice(0, index)) {
              expect(shared(keysOf(earlier), keysOf(later))).toEqual([]);
              expect(shared(expectedOf(earlier), subjectsOf(later))).toEqual([]);
              expect(shared(expectedOf(later), written(earlier))).toEqual([]);
            }
          }
          taken.push(...batch);
        }
        expect(taken.toSorted((a, b) => a.name - b.name)).toEqual(all);
        for (const subject of new Set(all.flatMap(subjectsOf))) {
          const concerned = taken.filter((each) => written(each).includes(subject)).map(({ name }) => name);
          expect(concerned).toEqual(concerned.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
