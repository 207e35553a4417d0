import type { EventStore, ReadQuery } from '@tocsin/contracts';
import { type EventToAppend, type RecordedEvent, typeMatches, webhookId } from '@tocsin/domain';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

/** Every event of a query, page by page. */
export async function readAll(store: EventStore, query: Partial<ReadQuery> = {}): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for (let bounds: Partial<ReadQuery> = {}; ;) {
    const page = await store.read({ limit: 100, ...query, ...bounds });
    all.push(...page.events);
    if (page.events.length === 0) return all;
    bounds = query.direction === 'backward' ? { before: page.next } : { after: page.next };
  }
}

/** The store under test, once it is open, and a maker of fresh events. */
export interface ReadingContext {
  store: EventStore;
  event: (over?: Partial<EventToAppend>) => EventToAppend;
}

/** The reading half of `eventStoreConformance`; what stands in the store already is read along. */
export function readingConformance(open: () => ReadingContext): void {
  describe('read', () => {
    let store: EventStore;
    let event: ReadingContext['event'];
    let all: RecordedEvent[];
    const append = (...events: EventToAppend[]) => store.append({ events });
    beforeAll(async () => {
      ({ store, event } = open());
      const types = ['com.acme.a', 'com.acme.a.b', 'com.acme+x', 'io.tocsin.node.online', 'com.a.cme'];
      for (const [index, type] of types.entries()) {
        await append(event({ type, subject: `read/${index % 2}`, data: 'x'.repeat(1000) }));
      }
      all = await readAll(store);
      expect(all).toHaveLength(await store.head());
    });

    it('pages forward and backward over the same events', async () => {
      expect(await readAll(store, { limit: 3 })).toEqual(all);
      expect(await readAll(store, { limit: 3, direction: 'backward' })).toEqual(all.toReversed());
    });

    it('tells where to go on: behind the last event, or behind all that was looked at', async () => {
      const head = all.length;
      expect(await store.read({ after: 2, limit: 3 })).toEqual({ events: all.slice(2, 5), next: 5, head });
      expect(await store.read({ limit: 3, subject: 'none' })).toEqual({ events: [], next: head, head });
      expect(await store.read({ after: head, limit: 3 })).toEqual({ events: [], next: head, head });
      expect((await store.read({ before: 6, limit: 3, direction: 'backward' })).next).toBe(3);
      expect((await store.read({ before: 4, limit: 9, direction: 'backward' })).next).toBe(1);
    });

    it('filters by type patterns as the domain matches them', async () => {
      const segment = fc.constantFrom(
        '*',
        'com',
        'acme',
        'acme+x',
        'a',
        'b',
        'io',
        'tocsin',
        'node',
        '.',
        'on',
        '[a-z]',
      );
      const pattern = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('.'));
      const property = fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 3 }), async (types) => {
        const expected = all.filter(({ type }) => types.some((each) => typeMatches(each, type)));
        expect(await readAll(store, { types })).toEqual(expected);
      });
      await fc.assert(property, {
        numRuns: 60,
        examples: [[['com.acme.*']], [['com.*']], [['*.acme.a']], [['*']], [['io.tocsin.*.online', 'com.acme.a']]],
      });
    });

    it('filters by subject, type and bounds together, both ways', async () => {
      const query = { subject: 'read/0', types: ['com.*'], after: 1, before: all.length + 5 };
      const expected = all.filter((e) => e.subject === 'read/0' && e.position > 1 && e.type.startsWith('com.'));
      expect(expected).toHaveLength(3);
      expect(await readAll(store, query)).toEqual(expected);
      expect(await readAll(store, { ...query, direction: 'backward' })).toEqual(expected.toReversed());
    });

    it('bounds by the time of recording', async () => {
      const at = all[Math.floor(all.length / 2)]?.recordedAt ?? '';
      expect(await readAll(store, { since: at })).toEqual(all.filter(({ recordedAt }) => recordedAt >= at));
      expect(await readAll(store, { until: at })).toEqual(all.filter(({ recordedAt }) => recordedAt < at));
      expect(await readAll(store, { since: '2999-01-01T00:00:00Z' })).toEqual([]);
    });

    it('ends a page before it grows too large, and never gives less than one event', async () => {
      const after = all.length - 5;
      const page = await store.read({ after, limit: 5, maxBytes: 3500 });
      expect(page.events.length).toBeGreaterThan(1);
      expect(page.events.length).toBeLessThan(5);
      expect(page.next).toBe(page.events.at(-1)?.position);
      expect((await store.read({ after, limit: 5, maxBytes: 1 })).events).toHaveLength(1);
      expect(await readAll(store, { after, maxBytes: 1 })).toEqual(all.slice(after));
    });

    it('gets one event by position, by id and by webhook key', async () => {
      const own = event();
      const theirs = event({ id: 'order-1', source: 'https://shop.example' });
      const [a, b] = await append(own, theirs);
      expect(await store.get(a?.position ?? 0)).toMatchObject({ id: own.id, data: own.data });
      expect(await store.get(webhookId(own))).toMatchObject({ position: a?.position });
      expect(await store.get('order-1')).toMatchObject({ position: b?.position });
      expect(await store.get(webhookId(theirs))).toMatchObject({ position: b?.position });
      expect(await store.get('evt_00000000000000000000000000000000')).toBeUndefined();
      expect(await store.get('a\u0000b')).toBeUndefined();
      expect(await store.get((await store.head()) + 1)).toBeUndefined();
    });
  });
}
