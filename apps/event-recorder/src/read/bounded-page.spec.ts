import type { ReadQuery } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { readBounded } from './bounded-page.js';

function event(position: number, dataBytes: number): RecordedEvent {
  return {
    id: `e${position}`,
    source: 's',
    type: 't',
    subject: 'x',
    time: '2030-01-01T00:00:00.000Z',
    position,
    version: position,
    recordedAt: '2030-01-01T00:00:00.000Z',
    extensions: {},
    data: 'x'.repeat(dataBytes),
  };
}

function logOf(...sizes: number[]) {
  const events = sizes.map((size, index) => event(index + 1, size));
  return {
    read: async ({ after = 0, limit }: ReadQuery) => {
      const found = events.filter(({ position }) => position > after).slice(0, limit);
      return { events: found, next: found.at(-1)?.position ?? after, head: events.length };
    },
  };
}

const positions = (page: { events: { event: RecordedEvent }[] }): number[] =>
  page.events.map((each) => each.event.position);

describe('readBounded', () => {
  it('gives up to the limit, and where to go on', async () => {
    const log = logOf(...Array.from({ length: 300 }, () => 10));
    const page = await readBounded(log, { after: 20, limit: 250, maxBytes: 1e6 });
    expect(positions(page)).toEqual(Array.from({ length: 250 }, (_, index) => 21 + index));
    expect(page).toMatchObject({ next: 270, head: 300 });
  });

  it('ends a page before it exceeds its bytes; nothing is lost between pages', async () => {
    const log = logOf(400, 400, 400, 5_000, 10);
    const seen: number[][] = [];
    for (let after = 0; ;) {
      const page = await readBounded(log, { after, limit: 100, maxBytes: 1_300 });
      if (page.events.length === 0) break;
      seen.push(positions(page));
      after = page.next;
    }
    // The fourth is larger than a page and still comes, alone.
    expect(seen).toEqual([[1, 2], [3], [4], [5]]);
  });

  it('says where it has looked when nothing matches', async () => {
    const read = async () => ({ events: [], next: 77, head: 77 });
    expect(await readBounded({ read }, { after: 5, limit: 10, maxBytes: 1e6 })).toEqual({
      events: [],
      next: 77,
      head: 77,
    });
  });

  describe('for who may see only events with certain labels', () => {
    const labels = { team: 'a' };
    const marked = (mine: (position: number) => boolean, count: number) => {
      const events = Array.from({ length: count }, (_, index) => ({
        ...event(index + 1, 0),
        data: { labels: { team: mine(index + 1) ? 'a' : 'b', role: 'edge' } },
      }));
      let pages = 0;
      return {
        pages: () => pages,
        read: async ({ after = 0, before = count + 1, direction, limit }: ReadQuery) => {
          pages += 1;
          const between = events.filter(({ position }) => position > after && position < before);
          const found = (direction === 'backward' ? between.toReversed() : between).slice(0, limit);
          const end = direction === 'backward' ? 1 : count;
          return { events: found, next: found.length === limit ? (found.at(-1)?.position ?? end) : end, head: count };
        },
      };
    };

    it('gives the limit of them, and leads on without a gap', async () => {
      const log = marked((position) => position % 3 === 0, 5_000);
      const seen: number[] = [];
      for (let after = 0; ;) {
        const page = await readBounded(log, { after, limit: 100, maxBytes: 1e6, labels });
        expect(page.events.length).toBeLessThanOrEqual(100);
        seen.push(...positions(page));
        if (page.events.length === 0) break;
        after = page.next;
      }
      expect(seen).toEqual(Array.from({ length: 1_666 }, (_, index) => 3 * (index + 1)));
    });

    it('does so backward as well', async () => {
      const log = marked((position) => position % 2 === 0, 10);
      const page = await readBounded(log, { after: 0, direction: 'backward', limit: 3, maxBytes: 1e6, labels });
      expect([positions(page), page.next]).toEqual([[10, 8, 6], 6]);
      const rest = await readBounded(log, {
        after: 0,
        before: 6,
        direction: 'backward',
        limit: 3,
        maxBytes: 1e6,
        labels,
      });
      expect(positions(rest)).toEqual([4, 2]);
    });

    it('looks through so much and no more, and says where to go on', async () => {
      const log = marked(() => false, 50_000);
      const page = await readBounded(log, { after: 0, limit: 10, maxBytes: 1e6, labels });
      expect([page.events, page.next, log.pages()]).toEqual([[], 10_000, 10]);
    });
  });
});
