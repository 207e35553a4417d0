import { JETSTREAM } from '@tocsin/contracts';
import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { eventSubject } from './event-subject.js';
import { linkOf } from './link-registry.js';
import { eventsStreamWindow, readEventsStream, type StreamEntry } from './read-events-stream.js';
import { RelayPublisher } from './relay-publisher.js';
import { eventually, FakeLog, NatsUnderTest } from './jetstream.harness.js';

const COUNT = 3_000;
const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
const never = new AbortController().signal;

let nats: NatsUnderTest;
let broker: Broker;
const log = new FakeLog();

beforeAll(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
});

afterAll(() => nats.dispose());

async function entries(from: number, to: number, signal = never): Promise<StreamEntry[]> {
  const all: StreamEntry[] = [];
  for await (const entry of readEventsStream(broker, { from, to, signal })) all.push(entry);
  return all;
}

describe('readEventsStream', () => {
  it('finds no window where there is no stream', async () => {
    expect(await eventsStreamWindow(broker)).toBeUndefined();
    await expect(entries(1, 10)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });

  it('gives every message between two sequences, in order, as it is', async () => {
    log.append(COUNT);
    const relay = new RelayPublisher({ broker, read: log.read, head: log.head, clock, random: Math.random });
    relay.start();
    await eventually('all relayed', () => relay.status().position === COUNT);
    await relay.stop();
    expect(await eventsStreamWindow(broker)).toEqual({ first: 1, last: COUNT });
    const some = await entries(501, 2_500);
    expect(some).toEqual(
      log.events.slice(500, 2_500).map((event) => ({ sequence: event.position, subject: eventSubject(event), event })),
    );
    expect(await entries(COUNT, COUNT)).toHaveLength(1);
    expect(await entries(COUNT + 1, COUNT + 10)).toEqual([]);
  });

  it('gives what is no event of its position, too', async () => {
    const publish = (text: string) => jetstream(linkOf(broker).nats).publish(`${JETSTREAM.eventsPrefix}.foreign`, text);
    for (const text of ['no JSON', '17', '{"position":1}']) await publish(text);
    const last = await entries(COUNT, COUNT + 10);
    expect(last.map(({ sequence, event }) => [sequence, event?.position])).toEqual([
      [COUNT, COUNT],
      [COUNT + 1, undefined],
      [COUNT + 2, undefined],
      [COUNT + 3, undefined],
    ]);
  });

  it('leaves no consumer behind when it is left in the middle, and ends when told to', async () => {
    for await (const entry of readEventsStream(broker, { from: 1, to: COUNT, signal: never })) {
      if (entry.sequence === 700) break;
    }
    const stop = new AbortController();
    const stopped = (async () => {
      for await (const entry of readEventsStream(broker, { from: 1, to: COUNT, signal: stop.signal })) {
        if (entry.sequence === 700) stop.abort();
      }
    })();
    await expect(stopped).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    const consumers = async (): Promise<number> =>
      (await linkOf(broker).manager.streams.info(JETSTREAM.eventsStream)).state.consumer_count;
    await eventually('the consumers are gone', async () => (await consumers()) === 0);
  });
});
