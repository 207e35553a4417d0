import type { ApiClient } from '@tocsin/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventsAfter, headOf, newestEvents } from './newest-events.js';

/** A log whose events are of one of two types, read as the API does. */
class Log {
  calls = 0;

  constructor(
    private readonly types: readonly string[],
    private readonly most = 1000,
  ) {}

  get client(): ApiClient {
    return this as unknown as ApiClient;
  }

  async call(_method: string, path: string): Promise<unknown> {
    this.calls += 1;
    const query = new URL(path, 'http://x').searchParams;
    const after = Number(query.get('after'));
    const before = Number(query.get('before') ?? Number.MAX_SAFE_INTEGER);
    const limit = Math.min(this.most, Number(query.get('limit')));
    const wanted = query.getAll('type');
    const matching = this.types
      .map((type, index) => ({ position: index + 1, type }))
      .filter(({ position }) => position > after && position < before)
      .filter(({ type }) => wanted.length === 0 || wanted.includes(type));
    if (query.get('order') === 'desc') {
      const events = matching.toReversed().slice(0, limit);
      return { events, next: events.length < limit ? 1 : events.at(-1)?.position };
    }
    const events = matching.slice(0, limit);
    const next = events.length < limit ? Math.max(after, this.types.length) : (events.at(-1)?.position ?? after);
    return { events, next };
  }
}

describe('the end of the log', () => {
  it.each([0, 1, 2, 1000])('is found at %i, in one call or two', async (length) => {
    const log = new Log(Array.from({ length }, () => 'a'));
    expect(await headOf(log.client)).toBe(length);
    expect(log.calls).toBeLessThanOrEqual(2);
  });
});

describe('the newest events', () => {
  it('are the last ones that match, whatever lies between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b'), { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(undefined, 'a'),
        fc.integer({ min: 3, max: 1000 }),
        async (types, count, type, most) => {
          const found = await newestEvents(
            new Log(types, most).client,
            count,
            type === undefined ? {} : { types: [type] },
          );
          const expected = types
            .map((one, index) => ({ position: index + 1, type: one }))
            .filter((one) => type === undefined || one.type === type)
            .slice(-count);
          expect(found).toEqual(expected);
        },
      ),
    );
  });

  it('after a position are read page by page, up to the limit', async () => {
    const log = new Log(
      Array.from({ length: 25 }, () => 'a'),
      10,
    );
    expect((await eventsAfter(log.client, 3, 17)).map(({ position }) => position)).toEqual(
      Array.from({ length: 17 }, (_, index) => index + 4),
    );
  });
});
