import { subscriptionSpecSchema } from '@tocsin/contracts';
import { type RecordedEvent, toCloudEvent } from '@tocsin/domain';
import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import type { Requester } from '../log/registry-log.js';
import { PreviewSubscription } from './preview-subscription.js';

const SPEC = subscriptionSpecSchema.parse({
  types: ['com.acme.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/…' },
});

function event(position: number): RecordedEvent {
  return {
    position,
    version: 1,
    id: `e${position}`,
    source: 'https://producer.example.net/',
    type: 'com.acme.x',
    subject: 'thing/'.padEnd(500, 'x'),
    time: '2026-01-01T00:00:00.000Z',
    recordedAt: '2026-01-01T00:00:00.000Z',
    extensions: {},
  };
}

/** A preview over a log of so many events, of which the recorder gives `page` at once. */
function previewing(head: number, page: number, onPage: () => Promise<void> = async () => undefined) {
  const asked: unknown[] = [];
  const clock = new FakeClock();
  const request = async (_subject: string, query: { before?: number; limit: number }) => {
    asked.push(query);
    await onPage();
    const newest = Math.min(head, (query.before ?? head + 1) - 1);
    const count = Math.min(newest, query.limit, page);
    return { events: Array.from({ length: count }, (_, index) => toCloudEvent(event(newest - index))) };
  };
  const preview = new PreviewSubscription({
    broker: { request: request as Requester['request'] },
    subscriptions: {
      standing: async (names) =>
        new Map(
          names.map((name) => [
            name,
            { version: 1, declared: { spec: SPEC, revision: 1, sealedRef: 'r', disabled: false } },
          ]),
        ),
    },
    declare: { run: () => Promise.reject(new Error('nothing is declared here')) },
    clock,
  });
  const run = (last: number) => preview.run({ name: 's', body: { last }, actor: 'me' });
  return { run, asked, clock };
}

describe('a preview', () => {
  it('reads back over as many pages as it takes, to the beginning of the log', async () => {
    const { run, asked } = previewing(450, 150);
    const { events, examined, matched } = await run(1_000);
    expect([examined, matched]).toEqual([450, 450]);
    expect(events.map(({ position }) => position)).toEqual(Array.from({ length: 450 }, (_, index) => 450 - index));
    expect(asked).toEqual([{ limit: 200 }, { limit: 200, before: 301 }, { limit: 200, before: 151 }]);
  });

  it('reads no more than it was asked to look at', async () => {
    const { run, asked } = previewing(1_000, 1_000);
    expect((await run(250)).examined).toBe(250);
    expect(asked).toEqual([{ limit: 200 }, { limit: 50, before: 801 }]);
  });

  it('of an empty log is empty', async () => {
    expect(await previewing(0, 100).run(100)).toMatchObject({ examined: 0, matched: 0, events: [], newestMatch: null });
  });

  it('gives what it has when time runs out', async () => {
    const { run, clock } = previewing(1_000, 100, async () => clock.advance(2_000));
    const { examined, newestMatch } = await run(1_000);
    expect(examined).toBe(201);
    expect(newestMatch?.position).toBe(1_000);
  });

  it('is made for two at once, and a third is asked to come again', async () => {
    const gate = Promise.withResolvers<void>();
    const { run } = previewing(10, 10, () => gate.promise);
    const both = [run(10), run(10)];
    await expect(run(10)).rejects.toMatchObject({ code: 'TCN_OVERLOADED', retryAfterMs: 1_000 });
    gate.resolve();
    expect((await Promise.all(both)).map(({ examined }) => examined)).toEqual([10, 10]);
    expect((await run(10)).examined).toBe(10);
  });

  it('cuts what nobody reads to the end', async () => {
    const [first] = (await previewing(1, 1).run(1)).events;
    expect(first?.subject).toHaveLength(200);
  });
});
