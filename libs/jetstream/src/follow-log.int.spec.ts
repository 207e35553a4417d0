import type { RecordedEvent } from '@tocsin/domain';
import { toCloudEvent } from '@tocsin/domain';
import { JETSTREAM, readRequestSchema, RPC } from '@tocsin/contracts';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { eventSubject } from './event-subject.js';
import { followLog, type FollowOptions } from './follow-log.js';
import { linkOf } from './link-registry.js';
import type { LogPage } from './log-reader.js';
import { RelayPublisher, type RelayOptions } from './relay-publisher.js';
import { eventAt, eventually, FakeLog, NatsUnderTest } from './jetstream.harness.js';

const STREAM = JETSTREAM.eventsStream;
const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

let nats: NatsUnderTest;
let broker: Broker;
let admin: JetStreamManager;
let log: FakeLog;
const relays: RelayPublisher[] = [];
const followers: Follower[] = [];

beforeEach(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
  admin = await jetstreamManager(linkOf(broker).nats);
  log = new FakeLog();
});

afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()));
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  await nats.dispose();
});

function relayOf(options: Partial<RelayOptions> = {}): RelayPublisher {
  const relay = new RelayPublisher({
    broker,
    read: log.read,
    head: log.head,
    clock,
    random: Math.random,
    pollMs: 100,
    ...options,
  });
  relays.push(relay);
  relay.start();
  return relay;
}

/** Follows and remembers everything that reached it. */
class Follower {
  readonly events: RecordedEvent[] = [];
  readonly batches: number[] = [];
  readonly errors: unknown[] = [];
  /** Positions the log itself was asked for. */
  readonly pagesAfter: number[] = [];
  caughtUp = 0;
  readonly done: Promise<void>;
  readonly #abort = new AbortController();

  constructor(options: Partial<FollowOptions> & { on?: Broker } = {}) {
    this.done = followLog(options.on ?? broker, {
      after: 0,
      read: (after, limit) => {
        if (limit > 1) this.pagesAfter.push(after);
        return log.page(after, limit);
      },
      onEvents: (events) => {
        this.take(events);
        return Promise.resolve();
      },
      signal: this.#abort.signal,
      onCaughtUp: () => this.caughtUp++,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    followers.push(this);
  }

  take(events: RecordedEvent[]): void {
    this.events.push(...events);
    this.batches.push(events.length);
  }

  stop(): Promise<void> {
    this.#abort.abort();
    return this.done;
  }

  /** Every position once, in order, each with the log's own event. */
  expectEverything(after = 0): void {
    expect(this.events.map((event) => event.position)).toEqual(log.events.slice(after).map((event) => event.position));
    expect(this.events.map((event) => event.id)).toEqual(log.events.slice(after).map((event) => event.id));
  }
}

/** A follower in the midst of whose work, at `position`, `happening` began and has ended. */
async function whenAt(position: number, happening: () => Promise<void>): Promise<Follower> {
  let happened: Promise<void> | undefined;
  const follower = new Follower({
    onEvents: (events) => {
      follower.take(events);
      if (follower.events.length >= position) happened ??= happening();
      return Promise.resolve();
    },
  });
  await eventually(`at ${position}`, () => happened !== undefined);
  expect(follower.events.length).toBeLessThan(log.events.length);
  await happened;
  return follower;
}

const has = (follower: Follower, count: number, timeoutMs = 40_000) =>
  eventually(`follower has ${count} events`, () => follower.events.length >= count, timeoutMs);

describe('followLog', () => {
  it('hands over what is there and what comes, in order, once, as it was recorded', async () => {
    log.append(3_000);
    const relay = relayOf();
    await eventually('relayed', () => relay.status().position === 3_000);
    const follower = new Follower();
    await eventually('caught up', () => follower.caughtUp === 1);
    follower.expectEverything();
    expect(follower.pagesAfter).toEqual([]);
    log.append(10);
    relay.notify(3_010);
    await has(follower, 3_010);
    follower.expectEverything();
    expect(follower.events[3_005]).toEqual(log.events[3_005]);
    expect(follower.caughtUp).toBe(1);
    expect(follower.errors).toEqual([]);
  });

  it('starts after its checkpoint', async () => {
    log.append(100);
    const relay = relayOf();
    await eventually('relayed', () => relay.status().position === 100);
    const follower = new Follower({ after: 60 });
    await has(follower, 40);
    follower.expectEverything(60);
    const atTheEnd = new Follower({ after: 100 });
    await eventually('caught up', () => atTheEnd.caughtUp === 1);
    log.append(1);
    relay.notify(101);
    await has(atTheEnd, 1);
    atTheEnd.expectEverything(100);
  });

  it('is quick: on a machine that does other work too, a quarter of the events is handed over within 2 ms', async () => {
    const relay = relayOf();
    let arrived: ((value: unknown) => void) | undefined;
    const follower = new Follower({
      onEvents: (events) => {
        follower.take(events);
        arrived?.(undefined);
        return Promise.resolve();
      },
    });
    await eventually('caught up', () => follower.caughtUp === 1);
    const tookMs: number[] = [];
    for (let round = 0; round < 100; round++) {
      const arrival = new Promise((resolve) => (arrived = resolve));
      log.append(1);
      const start = performance.now();
      relay.notify(log.events.length);
      await arrival;
      tookMs.push(performance.now() - start);
    }
    expect(tookMs.toSorted((one, other) => one - other)[25]).toBeLessThan(2);
  });

  it('batches what is available, never more than 500, and fetches no more than a bounded buffer meanwhile', async () => {
    log.append(5_000);
    const relay = relayOf();
    await eventually('relayed', () => relay.status().position === 5_000);
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const follower = new Follower({
      onEvents: async (events) => {
        follower.take(events);
        if (follower.batches.length === 1) await held;
      },
    });
    await has(follower, 1);
    // The consumer has been sent no more than the window and the batch in hand.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [consumer] = await admin.consumers.list(STREAM).next();
    expect(consumer?.delivered.consumer_seq).toBeLessThanOrEqual(1_500);
    expect(consumer?.delivered.consumer_seq).toBeGreaterThan(follower.batches[0] ?? 0);
    release?.();
    await has(follower, 5_000);
    follower.expectEverything();
    expect(Math.max(...follower.batches)).toBe(500);
  });

  it('hands the same events over again until they are taken', async () => {
    log.append(50);
    relayOf();
    let failures = 3;
    const tried: number[][] = [];
    const follower = new Follower({
      onEvents: (events) => {
        tried.push(events.map((event) => event.position));
        if (failures-- > 0) return Promise.reject(new Error('not now'));
        follower.take(events);
        return Promise.resolve();
      },
    });
    await has(follower, 50);
    follower.expectEverything();
    expect(tried[1]).toEqual(tried[0]);
    expect(tried[2]).toEqual(tried[0]);
    expect(follower.errors.filter((error) => (error as Error).message === 'not now')).toHaveLength(3);
  });

  it('reads the log where the stream does not reach back, then goes over to the stream', async () => {
    log.append(5_000);
    const relay = relayOf({ refillEvents: 100 });
    await eventually('relayed', () => relay.status().position === 5_000);
    const follower = new Follower({ after: 1_000 });
    await has(follower, 4_000);
    follower.expectEverything(1_000);
    expect(follower.pagesAfter[0]).toBe(1_000);
    const pages = follower.pagesAfter.length;
    log.append(1);
    relay.notify(5_001);
    await has(follower, 4_001);
    follower.expectEverything(1_000);
    expect(follower.pagesAfter).toHaveLength(pages);
  });

  it('reads the log while there is no stream at all', async () => {
    log.append(1_200);
    const follower = new Follower();
    await eventually('caught up', () => follower.caughtUp === 1);
    log.append(1);
    await has(follower, 1_201);
    follower.expectEverything();
  });

  it('is delayed, not stopped, by a relay that has died', async () => {
    log.append(10);
    const relay = relayOf();
    const follower = new Follower();
    await eventually('caught up', () => follower.caughtUp === 1);
    await relay.stop();
    log.append(700);
    await has(follower, 710, 8_000);
    follower.expectEverything();
  });

  it('continues without gap or duplicate when NATS is killed and restarted under load', async () => {
    log.append(20_000);
    relayOf();
    const follower = await whenAt(4_000, () => nats.kill());
    log.append(500);
    await nats.revive();
    await has(follower, 20_500);
    follower.expectEverything();
  });

  it('continues without gap or duplicate when the broker’s store is wiped under load', async () => {
    log.append(20_000);
    const relay = relayOf();
    const follower = await whenAt(4_000, () => nats.kill());
    await nats.wipe();
    log.append(500);
    await nats.revive();
    await has(follower, 20_500);
    log.append(500);
    relay.notify(21_000);
    await has(follower, 21_000);
    follower.expectEverything();
    await eventually('on the stream again', () => relay.status().position === 21_000);
    const pages = follower.pagesAfter.length;
    log.append(1);
    relay.notify(21_001);
    await has(follower, 21_001);
    expect(follower.pagesAfter).toHaveLength(pages);
  });

  it('continues without gap or duplicate when an administrator deletes the stream under load', async () => {
    log.append(20_000);
    const relay = relayOf();
    // The follower may have got there along the log, before the relay has made the stream.
    const deleted = () => admin.streams.delete(STREAM).catch(() => false);
    const follower = await whenAt(4_000, () => eventually('the stream is deleted', deleted));
    await has(follower, 20_000);
    log.append(100);
    relay.notify(20_100);
    await has(follower, 20_100);
    follower.expectEverything();
  });

  it('continues without gap or duplicate when the store is put back to an older copy', async () => {
    log.append(500);
    const relay = relayOf();
    const follower = new Follower();
    await has(follower, 500);
    await nats.kill();
    await nats.backUp();
    await nats.revive();
    log.append(500);
    await has(follower, 1_000);
    await nats.kill();
    await nats.restore();
    log.append(500);
    await nats.revive();
    await has(follower, 1_500);
    await eventually('relayed', () => relay.status().position === 1_500);
    log.append(1);
    relay.notify(1_501);
    await has(follower, 1_501);
    follower.expectEverything();
  });

  it('does not take events from a stream that is ahead of the log', async () => {
    const lost = new FakeLog('lost');
    lost.append(200);
    const before = relayOf({ read: lost.read, head: lost.head });
    await eventually('relayed', () => before.status().position === 200);
    await before.stop();
    log.append(100);
    const follower = new Follower({ after: 100 });
    await eventually('noticed', () => follower.errors.length > 0);
    expect(follower.errors[0]).toMatchObject({ code: 'TCN_LOG_DAMAGED' });
    log.append(20);
    await has(follower, 20);
    follower.expectEverything(100);
  });

  it('reads from the log what the stream has lost in its middle', async () => {
    log.append(300);
    await admin.streams.add({ name: STREAM, subjects: ['tocsin.events.>'] });
    const { nats: connection } = linkOf(broker);
    for (const event of log.events) {
      await connection.request(eventSubject(event), JSON.stringify(toCloudEvent(event)));
    }
    for (const lost of [100, 101, 250]) await admin.streams.deleteMessage(STREAM, lost);
    const follower = new Follower();
    await has(follower, 300);
    follower.expectEverything();
    expect(follower.errors[0]).toMatchObject({ code: 'TCN_LOG_DAMAGED' });
  });

  it('does not take for an event what is none', async () => {
    log.append(3);
    await admin.streams.add({ name: STREAM, subjects: ['tocsin.events.>'] });
    const { nats: connection } = linkOf(broker);
    for (const data of [
      JSON.stringify(toCloudEvent(eventAt(1))),
      'not JSON',
      JSON.stringify(toCloudEvent(eventAt(7))),
    ]) {
      await connection.request('tocsin.events.node.offline.x', data);
    }
    const follower = new Follower();
    await has(follower, 3);
    follower.expectEverything();
  });

  it('does not take other events at the log’s positions from a stream', async () => {
    const lost = new FakeLog('lost');
    lost.append(200);
    const before = relayOf({ read: lost.read, head: lost.head });
    await eventually('relayed', () => before.status().position === 200);
    await before.stop();
    log.append(300);
    const follower = new Follower({ after: 100 });
    await has(follower, 200);
    follower.expectEverything(100);
    expect(follower.errors[0]).toMatchObject({ code: 'TCN_LOG_DAMAGED' });
  });

  it('asks the event recorder by default, for less at once where an answer would be too large', async () => {
    log.append(400);
    for (const event of log.events) event.data = { blob: 'x'.repeat(40_000) };
    const asked: number[] = [];
    const recorder = await nats.broker('recorder');
    const serving = recorder.serve(RPC.logRead, {
      schema: readRequestSchema,
      handle: async ({ after, limit }) => {
        asked.push(limit);
        const { events, head }: LogPage = await log.page(after, limit);
        return { events: events.map(toCloudEvent), next: after + events.length, head };
      },
    });
    const follower = new Follower({ read: undefined });
    await has(follower, 400);
    follower.expectEverything();
    expect(asked[0]).toBe(500);
    expect(Math.min(...asked)).toBeLessThan(220);
    await serving.close();
  });

  it('waits for a log that cannot be read, and follows as soon as it can', async () => {
    log.append(10);
    let broken = true;
    const follower = new Follower({
      read: (after, limit) => (broken ? Promise.reject(new Error('no recorder')) : log.page(after, limit)),
    });
    await eventually('told', () => follower.errors.length > 1);
    expect(follower.events).toEqual([]);
    broken = false;
    await has(follower, 10);
    follower.expectEverything();
  });

  it('says so when the checkpoint is beyond the end of the log', async () => {
    log.append(10);
    const follower = new Follower({ after: 50 });
    await eventually('told', () => follower.errors.length > 0);
    expect(follower.errors[0]).toMatchObject({ code: 'TCN_LOG_DAMAGED' });
    expect(follower.events).toEqual([]);
  });

  it('ends at once when aborted: while it waits for events, for the log, and for NATS', async () => {
    log.append(10);
    const relay = relayOf();
    await eventually('relayed', () => relay.status().position === 10);
    const idle = new Follower();
    await eventually('caught up', () => idle.caughtUp === 1);
    const reading = new Follower({ read: () => new Promise(() => undefined) });
    const start = performance.now();
    await Promise.all([idle.stop(), reading.stop()]);
    await nats.kill();
    const down = new Follower();
    await down.stop();
    expect(performance.now() - start).toBeLessThan(1_000);
    await nats.revive();
    await eventually('reconnected', () => broker.connected());
    expect(await admin.consumers.list(STREAM).next()).toEqual([]);
  });

  it('awaits the events in hand when aborted', async () => {
    log.append(10);
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const follower = new Follower({
      onEvents: async (events) => {
        follower.take(events);
        await held;
      },
    });
    await has(follower, 10);
    let ended = false;
    const stopped = follower.stop().then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ended).toBe(false);
    release?.();
    await stopped;
    expect(follower.batches).toEqual([10]);
  });
});
