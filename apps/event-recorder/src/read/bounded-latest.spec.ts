import type { LatestRequest } from '@tocsin/contracts';
import { type RecordedEvent, toCloudEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { latestBounded } from './bounded-latest.js';

function event(subject: string, position: number, dataBytes: number): RecordedEvent {
  return {
    id: `e${position}`,
    source: 's',
    type: 't',
    subject,
    time: '2030-01-01T00:00:00.000Z',
    position,
    version: position,
    recordedAt: '2030-01-01T00:00:00.000Z',
    extensions: {},
    data: 'x'.repeat(dataBytes),
  };
}

/** A store in which subject `s<n>` has one event of `sizeOf(n)` bytes, or none where that is 0. */
function storeOf(sizeOf: (index: number) => number) {
  const queries: number[] = [];
  return {
    queries,
    latest: async ({ subjects }: LatestRequest) => {
      queries.push(subjects.length);
      const sizes = subjects.map((subject) => sizeOf(Number(subject.slice(1))));
      return {
        events: subjects.flatMap((subject, index) =>
          sizes[index] === 0 ? [] : [event(subject, Number(subject.slice(1)) + 1, sizes[index] ?? 0)],
        ),
        versions: Object.fromEntries(subjects.map((subject, index) => [subject, sizes[index] === 0 ? 0 : 7])),
      };
    },
  };
}

const subjects = (count: number): string[] => Array.from({ length: count }, (_, index) => `s${index}`);

describe('latestBounded', () => {
  it('answers all where they fit, with few queries', async () => {
    const store = storeOf((index) => index % 2);
    const page = await latestBounded(store, { subjects: subjects(1_200) }, 1e6);
    expect(page.answered).toBe(1_200);
    expect(page.events).toHaveLength(600);
    expect(Object.keys(page.versions)).toEqual(subjects(1_200));
    expect([page.versions['s0'], page.versions['s1']]).toEqual([0, 7]);
    expect(store.queries.length).toBeLessThan(6);
  });

  it('never exceeds its bytes, says how many it has answered, and asks for hardly more than it gives', async () => {
    const store = storeOf(() => 20_000);
    const all = subjects(200);
    const seen: string[] = [];
    while (seen.length < all.length) {
      const page = await latestBounded(store, { subjects: all.slice(seen.length) }, 300_000);
      const answer = { events: page.events.map(toCloudEvent), versions: page.versions };
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(301_000);
      expect(page.events.map((each) => each.subject)).toEqual(Object.keys(page.versions));
      expect(page.answered).toBe(page.events.length);
      seen.push(...Object.keys(page.versions));
    }
    expect(seen).toEqual(all);
    expect(store.queries.reduce((sum, count) => sum + count, 0)).toBeLessThan(2 * all.length);
  });

  it('answers one subject whatever its size, so that asking again leads on', async () => {
    const store = storeOf((index) => (index === 0 ? 5_000 : 10));
    const page = await latestBounded(store, { subjects: subjects(3) }, 1_000);
    expect(page).toMatchObject({ answered: 1, versions: { s0: 7 } });
  });

  it('counts subjects that have no event, too', async () => {
    const long = Array.from({ length: 400 }, (_, index) => `s${index}${'0'.repeat(20)}`);
    const page = await latestBounded(
      storeOf(() => 0),
      { subjects: long },
      10_000,
    );
    expect(page.answered).toBeGreaterThan(100);
    expect(page.answered).toBeLessThan(250);
    expect(Buffer.byteLength(JSON.stringify(page.versions))).toBeLessThan(10_000);
  });
});
