import type { AppendPart, AppendRequest } from '@tocsin/contracts';
import { type EventToAppend, TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { appendAll } from './append-all.js';
import { PartGatherer } from './part-gatherer.js';

const event = (n: number, bytes = 0): EventToAppend => ({
  id: `evt_${n}`,
  source: 's',
  type: 't',
  subject: `target/${n}`,
  time: '2030-01-01T00:00:00Z',
  data: { filler: 'x'.repeat(bytes) },
});
const requestOf = (events: EventToAppend[]): AppendRequest => ({
  events,
  expect: Object.fromEntries(events.map(({ subject }, version) => [subject, version])),
});

/** A leader that answers both subjects, and what it was asked and has recorded. */
function leader() {
  const recorded: AppendRequest[] = [];
  const messages: { subject: string; bytes: number; events: number }[] = [];
  const time = { ms: 0 };
  const commit = { begins: async (): Promise<void> => undefined };
  const append = async (request: AppendRequest) => {
    await commit.begins();
    recorded.push(request);
    return request.events.map(({ id }, n) => ({ id, position: n + 1, version: 1, recordedAt: '', repeated: false }));
  };
  const gatherer = new PartGatherer(append, { now: () => 0, monotonicMs: () => time.ms });
  const broker = {
    request: async (subject: string, payload: unknown) => {
      const { events } = payload as AppendRequest;
      messages.push({ subject, bytes: JSON.stringify(payload).length, events: events.length });
      if (subject.endsWith('part')) return gatherer.take(payload as AppendPart);
      return { events: await append(payload as AppendRequest) };
    },
  } as Parameters<typeof appendAll>[0];
  return { broker, gatherer, recorded, messages, time, commit };
}

describe('an append of any size', () => {
  it('is one message where that holds it', async () => {
    const { broker, recorded, messages } = leader();
    const request = requestOf([event(1), event(2)]);
    expect(await appendAll(broker, request)).toBe(2);
    expect(recorded).toEqual([request]);
    expect(messages.map(({ subject }) => subject)).toEqual(['tocsin.rpc.log.append']);
  });

  it('is one append of all events in order, with all that is expected, however many messages it takes', async () => {
    const { broker, recorded, messages } = leader();
    const request = requestOf(Array.from({ length: 2_345 }, (_, n) => event(n)));
    expect(await appendAll(broker, request)).toBe(2_345);
    expect(recorded).toEqual([request]);
    expect(messages.map(({ events }) => events)).toEqual([1_000, 1_000, 345]);
  });

  it('stays below what a message holds', async () => {
    const { broker, recorded, messages } = leader();
    await appendAll(broker, requestOf(Array.from({ length: 20 }, (_, n) => event(n, 100 * 1024))));
    expect(recorded[0]?.events).toHaveLength(20);
    expect(messages.length).toBeGreaterThan(3);
    for (const { bytes } of messages) expect(bytes).toBeLessThan(700 * 1024);
  });

  it('is refused, to be repeated, where the leader that had its first parts is gone', async () => {
    const [first, second] = [leader(), leader()];
    let asked = 0;
    const broker = {
      request: (...args: Parameters<typeof first.broker.request>) =>
        (asked++ === 0 ? first : second).broker.request(...args),
    } as Parameters<typeof appendAll>[0];
    const request = requestOf(Array.from({ length: 1_500 }, (_, n) => event(n)));
    await expect(appendAll(broker, request)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE', retryable: true });
    expect([first.recorded, second.recorded]).toEqual([[], []]);
    expect(await appendAll(second.broker, request)).toBe(1_500);
    expect(second.recorded).toEqual([request]);
  });
});

describe('the commit of many parts', () => {
  const request = requestOf(Array.from({ length: 1_500 }, (_, n) => event(n)));
  /** Loses as many answers to the last part as said. */
  const losing = (lost: number, by: ReturnType<typeof leader>, next = by) => {
    let left = lost;
    return {
      request: async (subject: string, payload: AppendPart) => {
        if (payload.part === 0) return by.broker.request(subject, payload);
        if (left === 0) return next.broker.request(subject, payload);
        left -= 1;
        if (next === by) void by.broker.request(subject, payload);
        throw new TocsinError('TCN_TIMEOUT', 'no answer');
      },
    } as Parameters<typeof appendAll>[0];
  };

  it('may take longer than one answer', async () => {
    const one = leader();
    one.commit.begins = () => new Promise((resolve) => setTimeout(resolve, 20));
    expect(await appendAll(losing(2, one), request)).toBe(1_500);
    expect(one.recorded).toEqual([request]);
  });

  it('is given up where ten answers did not come', async () => {
    const one = leader();
    await expect(appendAll(losing(10, one), request)).rejects.toMatchObject({ code: 'TCN_TIMEOUT' });
  });

  it('is missed after one answer where the leader was killed', async () => {
    const [killed, next] = [leader(), leader()];
    await expect(appendAll(losing(1, killed, next), request)).rejects.toMatchObject({
      code: 'TCN_UNAVAILABLE',
      retryable: true,
    });
    expect(killed.recorded).toEqual([]);
  });
});

describe('the gathering of parts', () => {
  const part = (fields: Partial<AppendPart> = {}): AppendPart => ({
    gathering: 'g',
    part: 0,
    parts: 2,
    events: [event(1)],
    ...fields,
  });

  it('takes parts in any order, and a repeated one once', async () => {
    const { gatherer, recorded } = leader();
    expect(await gatherer.take(part({ part: 1, events: [event(2)] }))).toEqual({});
    expect(await gatherer.take(part({ part: 1, events: [event(2)] }))).toEqual({});
    expect(await gatherer.take(part())).toEqual({ position: 2 });
    expect(recorded.map(({ events }) => events.map(({ id }) => id))).toEqual([['evt_1', 'evt_2']]);
  });

  it('forgets what is not completed in time', async () => {
    const { gatherer, recorded, time } = leader();
    await gatherer.take(part());
    time.ms = 20_000;
    expect(await gatherer.take(part({ part: 1 }))).toEqual({});
    expect(recorded).toEqual([]);
  });

  it('refuses what is no part of it, and more than it can hold', async () => {
    const { gatherer } = leader();
    await expect(gatherer.take(part({ part: 2 }))).rejects.toMatchObject({ code: 'TCN_INVALID' });
    await gatherer.take(part());
    await expect(gatherer.take(part({ part: 1, parts: 3 }))).rejects.toMatchObject({ code: 'TCN_INVALID' });
    const large = Array.from({ length: 1_000 }, (_, n) => event(n));
    for (let n = 0; n < 99; n += 1)
      await gatherer.take(part({ gathering: 'large', part: n, parts: 500, events: large }));
    await expect(
      gatherer.take(part({ gathering: 'large', part: 99, parts: 500, events: large })),
    ).rejects.toMatchObject({ code: 'TCN_OVERLOADED' });
  });
});
