import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { SubscriptionBook } from './subscription-book.js';

const SHARDS = 1;

function event(position: number, type: string, data: RecordedEvent['data'] = {}): RecordedEvent {
  return {
    position,
    version: 1,
    id: `e${position}`,
    source: 'test',
    type,
    subject: 'node/a',
    time: '2026-01-01T00:00:00.000Z',
    recordedAt: '2026-01-01T00:00:00.000Z',
    extensions: {},
    data,
  };
}

function declared(
  position: number,
  name: string,
  types: string[],
  labels: Record<string, string> = {},
  filter?: string,
): RecordedEvent {
  return event(position, 'io.tocsin.subscription.created', {
    name,
    actor: 'test',
    sealedRef: `ref-${position}`,
    spec: {
      destination: { kind: 'webhook', url: 'https://example.net/…', headers: {} },
      types,
      labels,
      ...(filter === undefined ? {} : { filter }),
      order: 'subject',
    },
  });
}

function removed(position: number, name: string): RecordedEvent {
  return event(position, 'io.tocsin.subscription.removed', { name, actor: 'test' });
}

function matched(book: SubscriptionBook, one: RecordedEvent): string[] {
  return book.matching(one, 0).map((revision) => `${revision.name}@${revision.fromPosition}`);
}

describe('SubscriptionBook', () => {
  it('decides by position: from behind the creation up to the removal', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(5, 's', ['com.acme.*']));
    book.apply(removed(9, 's'));
    expect(matched(book, event(4, 'com.acme.x'))).toEqual([]);
    expect(matched(book, event(6, 'com.acme.x'))).toEqual(['s@5']);
    expect(matched(book, event(9, 'com.acme.x'))).toEqual(['s@5']);
    expect(matched(book, event(10, 'com.acme.x'))).toEqual([]);
  });

  it('matches an older event by the revision of its time after the subscription has changed', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(1, 's', ['com.acme.*']));
    book.apply(declared(5, 's', ['com.other.*']));
    expect(matched(book, event(3, 'com.acme.x'))).toEqual(['s@1']);
    expect(matched(book, event(6, 'com.acme.x'))).toEqual([]);
    expect(matched(book, event(6, 'com.other.x'))).toEqual(['s@5']);
    expect(book.typesOf('s')).toEqual(['com.acme.*', 'com.other.*']);
  });

  it('wants every label, with equal values', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(1, 's', ['*'], { site: 'fra', role: 'edge' }));
    expect(matched(book, event(2, 'x', { labels: { site: 'fra', role: 'edge', more: '1' } }))).toEqual(['s@1']);
    expect(matched(book, event(3, 'x', { labels: { site: 'fra' } }))).toEqual([]);
    expect(matched(book, event(4, 'x', { labels: { site: 'ams', role: 'edge' } }))).toEqual([]);
    expect(matched(book, event(5, 'x'))).toEqual([]);
  });

  it('asks a filter about what types and labels want, and tells of one that fails, which is no match', () => {
    const failed: string[] = [];
    const book = new SubscriptionBook(SHARDS, (revision, { position }, why) =>
      failed.push(`${revision.name}@${position}: ${why}`),
    );
    book.apply(declared(1, 's', ['com.acme.*'], { site: 'fra' }, 'data.cpu > 90'));
    const busy = { labels: { site: 'fra' }, cpu: 91 };
    expect(matched(book, event(2, 'com.acme.x', busy))).toEqual(['s@1']);
    expect(matched(book, event(3, 'com.acme.x', { ...busy, cpu: 90 }))).toEqual([]);
    expect(matched(book, event(4, 'com.other.x', { cpu: 'no number' }))).toEqual([]);
    expect(matched(book, event(5, 'com.acme.x', { labels: {}, cpu: 'no number' }))).toEqual([]);
    expect(failed).toEqual([]);
    expect(matched(book, event(6, 'com.acme.x', { labels: { site: 'fra' } }))).toEqual([]);
    expect(failed).toEqual([expect.stringMatching(/^s@6: .*cpu/)]);
    expect(book.wants('s', event(7, 'com.acme.x', busy))).toBe(true);
    expect(book.wants('s', event(7, 'com.acme.x', { ...busy, cpu: 1 }))).toBe(false);
  });

  it('keeps to the filter of the time of the event', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(1, 's', ['x'], {}, 'data.n == 1'));
    book.apply(declared(5, 's', ['x'], {}, 'data.n == 2'));
    expect(matched(book, event(3, 'x', { n: 1 }))).toEqual(['s@1']);
    expect(matched(book, event(3, 'x', { n: 2 }))).toEqual([]);
    expect(matched(book, event(7, 'x', { n: 2 }))).toEqual(['s@5']);
  });

  it('changes nothing when the log is read again, and tells of it again', () => {
    const book = new SubscriptionBook(SHARDS);
    const log = [declared(1, 's', ['*']), declared(3, 's', ['com.acme.*']), removed(5, 's'), declared(7, 's', ['*'])];
    expect(log.map((one) => book.apply(one)?.kind)).toEqual(['declared', 'declared', 'removed', 'declared']);
    expect(log.map((one) => book.apply(one)?.kind)).toEqual(['declared', 'declared', 'removed', 'declared']);
    expect(book.current('s')?.fromPosition).toBe(7);
  });

  it('tells a changed subscription, which lives on, from one that was removed and made again', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(1, 'changed', ['*']));
    book.apply(declared(2, 'again', ['*']));
    book.apply(declared(3, 'changed', ['*']));
    book.apply(removed(4, 'again'));
    book.apply(declared(6, 'again', ['*']));
    const first = book.matching(event(3, 'x'), 0);
    expect(first.map((revision) => [revision.name, book.lives(revision)])).toEqual([
      ['changed', true],
      ['again', false],
    ]);
  });

  it('forgets what ended before a position, and nothing else', () => {
    const book = new SubscriptionBook(SHARDS);
    book.apply(declared(1, 's', ['a']));
    book.apply(declared(4, 's', ['b']));
    book.apply(declared(8, 's', ['c']));
    book.dropBefore(6);
    expect(book.typesOf('s')).toEqual(['b', 'c']);
  });
});
