import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { EventDurables, type DurableSettings } from './event-durables.js';
import { RelayPublisher } from './relay-publisher.js';
import { eventually, FakeLog, NatsUnderTest } from './jetstream.harness.js';

// One at a time: in order, whatever is delivered again.
const settings: DurableSettings = { name: 'team', filters: ['tocsin.events.>'], ackWaitMs: 1_000, maxUnacked: 1 };
const never = new AbortController().signal;

let nats: NatsUnderTest;
let broker: Broker;
let durables: EventDurables;
let log: FakeLog;
let relay: RelayPublisher;

beforeEach(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
  durables = new EventDurables(broker);
  log = new FakeLog();
  log.append(20);
});

afterEach(async () => {
  await relay?.stop();
  await nats.dispose();
});

async function relayed(refillEvents = 1_000): Promise<void> {
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  relay = new RelayPublisher({ broker, read: log.read, head: log.head, clock, random: Math.random, refillEvents });
  relay.start();
  await full();
}

const full = (): Promise<void> =>
  eventually('everything is relayed', async () => {
    const stream = await durables.stream().catch(() => undefined);
    return stream?.last === log.events.length;
  });

/** Takes and acknowledges everything up to a position. */
async function consumeTo(position: number): Promise<number[]> {
  const reader = await durables.read(settings.name, 1, never);
  const taken: number[] = [];
  while (taken.at(-1) !== position) {
    for (const message of await reader.take(2_000)) {
      if (message.position > position) {
        message.release();
        continue;
      }
      taken.push(message.position);
      message.ack();
    }
  }
  reader.close();
  return taken;
}

const ackedIs = (position: number): Promise<void> =>
  eventually(`${position} is acknowledged`, async () => (await durables.find(settings.name))?.acked === position);

describe('durables', () => {
  it('are not there before they are made, nor is their stream', async () => {
    expect(await durables.stream()).toBeUndefined();
    expect(await durables.find('team')).toBeUndefined();
    await expect(durables.create(settings, 0)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });

  it('begin after a position and go on after what was acknowledged', async () => {
    await relayed();
    expect(await durables.create(settings, 5)).toMatchObject({ acked: 5, unacked: 0, behind: undefined });
    expect(await consumeTo(9)).toEqual([6, 7, 8, 9]);
    await ackedIs(9);
    expect((await consumeTo(12)).at(0)).toBe(10);
  });

  it('are one, whoever makes it first', async () => {
    await relayed();
    await durables.create(settings, 5);
    expect(await durables.create({ ...settings, maxUnacked: 3 }, 12)).toMatchObject({ acked: 5 });
  });

  it('take other filters without losing their place', async () => {
    await relayed();
    await durables.create(settings, 5);
    await consumeTo(7);
    await ackedIs(7);
    await durables.align({ ...settings, filters: ['tocsin.events.node.online.*'] });
    const [next] = (await consumeTo(10)).slice(0, 1);
    expect(next).toBe(8);
    const [saved] = await durables.list();
    expect(saved?.config).toMatchObject({ filter_subjects: ['tocsin.events.node.online.*'] });
  });

  it('say what the stream cannot give them, and are kept from there', async () => {
    await relayed(5);
    expect(await durables.create(settings, 3)).toMatchObject({ acked: 15, behind: { after: 3, until: 15 } });
    expect(await durables.list()).toMatchObject([{ name: 'team', acked: 3 }]);
    await durables.note('team', { after: 9, until: 15 });
    expect(await durables.list()).toMatchObject([{ acked: 9 }]);
    await durables.note('team', undefined);
    expect(await durables.list()).toMatchObject([{ acked: 15 }]);
  });

  it('are made again, as they were, after the broker lost everything', async () => {
    await relayed();
    await durables.create({ ...settings, filters: ['tocsin.events.node.offline.*'] }, 0);
    await consumeTo(7);
    await ackedIs(7);
    const [saved] = await durables.list();
    await relay.stop();
    await nats.kill();
    await nats.wipe();
    await nats.revive();
    await eventually('the broker is back', () => broker.connected());
    log.append(10);
    await relayed();
    const stream = await durables.stream();
    if (saved === undefined || stream === undefined) throw new Error('nothing was kept');
    expect(await durables.restore(saved, stream)).toMatchObject({ acked: 7, behind: undefined });
    expect((await durables.list())[0]?.config).toMatchObject({
      max_ack_pending: 1,
      filter_subjects: ['tocsin.events.node.offline.*'],
    });
    expect((await consumeTo(29)).at(0)).toBe(9);
  });

  it('wait at a position that the stream has not come to', async () => {
    await relayed();
    expect(await durables.create(settings, 25)).toMatchObject({ acked: 25 });
    log.append(10);
    relay.notify(30);
    expect(await consumeTo(30)).toEqual([26, 27, 28, 29, 30]);
  });
});

describe('a reader', () => {
  it('ends when its durable is gone, so that whoever reads can look', async () => {
    await relayed();
    await durables.create(settings, 20);
    const reader = await durables.read('team', 10, never);
    const ended = reader.take(20_000).catch((error: unknown) => error);
    await nats.kill();
    expect(await ended).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    await nats.revive();
  });

  it('can give messages back, to be delivered again at once', async () => {
    await relayed();
    await durables.create({ ...settings, ackWaitMs: 30_000, maxUnacked: 10 }, 0);
    const reader = await durables.read('team', 10, never);
    const positions: number[] = [];
    while (positions.length < 10) {
      for (const message of await reader.take(2_000)) {
        positions.push(message.position);
        message.release();
      }
    }
    expect(positions.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const [again] = await reader.take(5_000);
    expect(again).toMatchObject({ position: expect.any(Number), attempt: 2 });
    reader.close();
  });
});
