import type { TocsinError } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { linkOf } from './link-registry.js';
import { RelayPublisher, type RelayOptions } from './relay-publisher.js';
import { eventSubject } from './event-subject.js';
import { eventAt, eventually, FakeLog, NatsUnderTest, storedIn } from './jetstream.harness.js';

const STREAM = JETSTREAM.eventsStream;
const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

let nats: NatsUnderTest;
let broker: Broker;
let admin: JetStreamManager;
let log: FakeLog;
const relays: RelayPublisher[] = [];
const errors: TocsinError[] = [];

beforeEach(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
  admin = await jetstreamManager(linkOf(broker).nats);
  log = new FakeLog();
});

afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  errors.length = 0;
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
    onError: (error) => errors.push(error),
    ...options,
  });
  relays.push(relay);
  relay.start();
  return relay;
}

/** A relay in the midst of whose work NATS was killed, when the stream stood at `position`. */
async function killedAt(position: number): Promise<RelayPublisher> {
  let killing: Promise<void> | undefined;
  const relay = relayOf({
    onProgress: (stored) => {
      if (stored >= position) killing ??= nats.kill();
    },
  });
  await eventually('killed', () => killing !== undefined);
  await killing;
  expect(relay.status().position).toBeLessThan(log.events.length);
  return relay;
}

const lastSequence = async () => (await admin.streams.info(STREAM)).state.last_seq;
const caughtUp = (relay: RelayPublisher, timeoutMs = 40_000) =>
  eventually(`relay at ${log.events.length}`, () => relay.status().position === log.events.length, timeoutMs);

/** Every message from `first` on is the log's event at that position. */
async function expectSequenceIsPosition(first = 1): Promise<void> {
  const messages = await storedIn(broker, STREAM, first, log.events.length);
  expect(messages).toHaveLength(log.events.length - first + 1);
  const wrong = messages.filter((message, index) => {
    const event = message.json<{ id: string; position: number }>();
    const position = first + index;
    return message.seq !== position || event.position !== position || event.id !== log.events[position - 1]?.id;
  });
  expect(wrong).toEqual([]);
  expect(await lastSequence()).toBe(log.events.length);
}

describe('RelayPublisher', () => {
  it('relays 20,000 events with sequence equal to position, and those that follow', async () => {
    log.append(20_000);
    const progress: number[] = [];
    const relay = relayOf({ onProgress: (position) => progress.push(position) });
    await caughtUp(relay);
    log.append(1);
    relay.notify(20_001);
    await caughtUp(relay);
    await expectSequenceIsPosition();
    expect(progress).toEqual(progress.toSorted((one, other) => one - other));
    expect(progress.at(-1)).toBe(20_001);
    expect(errors).toEqual([]);
  });

  it('publishes structured CloudEvents under their subject, with their trace context and without a message id', async () => {
    log.append(1);
    log.events.push({
      ...eventAt(2),
      extensions: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    });
    await caughtUp(relayOf());
    const [first, second] = await storedIn(broker, STREAM, 1, 2);
    expect(first?.subject).toBe('tocsin.events.node.offline.edge-1');
    expect(first?.json()).toMatchObject({ specversion: '1.0', id: 'evt_log_1', position: 1, sequence: 1 });
    expect(first?.header.get('content-type')).toBe('application/cloudevents+json');
    expect(first?.header.has('traceparent')).toBe(false);
    expect(second?.header.get('traceparent')).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    expect(second?.header.has('Nats-Msg-Id')).toBe(false);
  });

  it('needs no nudge', async () => {
    const relay = relayOf();
    await eventually('relaying', () => relay.status().state === 'relaying');
    log.append(3);
    await caughtUp(relay);
    await expectSequenceIsPosition();
  });

  it('reads on at once where large events make the pages of the log short', async () => {
    log.append(2_000);
    relayOf({ read: async (after, limit) => (await log.read(after, limit)).slice(0, 30), pollMs: 60_000 });
    await eventually('all relayed', async () => (await lastSequence().catch(() => 0)) === 2_000);
    await expectSequenceIsPosition();
  });

  it('creates the stream so that nobody can delete from it, and keeps to the limits given', async () => {
    log.append(1);
    await caughtUp(relayOf({ stream: { maxAgeMs: 3_600_000, maxBytes: 50_000_000 } }));
    const { config } = await admin.streams.info(STREAM);
    expect(config).toMatchObject({
      subjects: ['tocsin.events.>', 'tocsin.withheld.>'],
      retention: 'limits',
      storage: 'file',
      deny_delete: true,
      deny_purge: true,
      allow_direct: true,
      max_age: 3_600_000_000_000,
      max_bytes: 50_000_000,
      num_replicas: 1,
    });
    await expect(admin.streams.purge(STREAM)).rejects.toThrow('not permitted');
    await expect(admin.streams.deleteMessage(STREAM, 1)).rejects.toThrow('not permitted');
  });

  it('brings an existing stream to changed limits without losing what is in it', async () => {
    log.append(10);
    const first = relayOf({ stream: { maxBytes: 50_000_000 } });
    await caughtUp(first);
    await first.stop();
    log.append(1);
    await caughtUp(relayOf({ stream: { maxBytes: 60_000_000 } }));
    expect((await admin.streams.info(STREAM)).config.max_bytes).toBe(60_000_000);
    await expectSequenceIsPosition();
  });

  it('puts what is withheld under a subject of its own, also in a stream made before there was one', async () => {
    await admin.streams.add({ name: STREAM, subjects: ['tocsin.events.>'], max_age: 0 });
    log.append(1);
    const withheld = { ...eventAt(2), source: 'tocsin/health-probe', extensions: { withheld: 'storm' } };
    log.events.push(withheld);
    await caughtUp(relayOf());
    expect((await admin.streams.info(STREAM)).config.subjects).toEqual(['tocsin.events.>', 'tocsin.withheld.>']);
    await expectSequenceIsPosition();
    const stored = await storedIn(broker, STREAM, 1, 2);
    expect(stored.map(({ subject }) => subject)).toEqual(['tocsin.events.node.offline.edge-1', eventSubject(withheld)]);
    expect(eventSubject(withheld)).toMatch(/^tocsin\.withheld\./);
  });

  it('names what the server refuses: more copies than there are servers', async () => {
    const relay = relayOf({ stream: { replicas: 3 } });
    await eventually('refusing', () => relay.status().state === 'refusing');
    expect(relay.status().error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(relay.status().error?.message).toMatch(/replicas/);
    expect(errors).toHaveLength(1);
  });

  it('fills a missing stream from the configured depth only', async () => {
    log.append(1_000);
    await caughtUp(relayOf({ refillEvents: 300 }));
    expect((await admin.streams.info(STREAM)).state.first_seq).toBe(701);
    await expectSequenceIsPosition(701);
  });

  it('survives two relays at once: one wins each position, both end up there', async () => {
    const other = await nats.broker('rival');
    const one = relayOf();
    const two = relayOf({ broker: other });
    for (let round = 0; round < 40; round++) {
      log.append(100);
      one.notify(log.events.length);
      two.notify(log.events.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually('both at the end', () =>
      [one, two].every((relay) => relay.status().position === log.events.length),
    );
    await expectSequenceIsPosition();
  });

  it('does not let a stale relay disturb the order', async () => {
    log.append(500);
    const stale = relayOf({ pollMs: 60_000 });
    await caughtUp(stale);
    // It has slept through what another one relayed.
    const other = await nats.broker('successor');
    log.append(500);
    await caughtUp(relayOf({ broker: other }));
    log.append(500);
    stale.notify(log.events.length);
    await caughtUp(stale);
    await expectSequenceIsPosition();
  });

  it('carries on after NATS is killed and restarted in the middle', async () => {
    log.append(30_000);
    const relay = await killedAt(5_000);
    await nats.revive();
    await caughtUp(relay);
    await expectSequenceIsPosition();
    expect(relay.status().state).toBe('relaying');
  });

  it('refills a store that was wiped in the middle', async () => {
    log.append(10_000);
    const relay = await killedAt(3_000);
    await nats.wipe();
    await nats.revive();
    await caughtUp(relay);
    await expectSequenceIsPosition();
  });

  it('refills after an administrator has deleted the stream, though nothing new is appended', async () => {
    log.append(2_000);
    await caughtUp(relayOf());
    await admin.streams.delete(STREAM);
    await eventually('the stream is back', () =>
      lastSequence().then(
        (last) => last === 2_000,
        () => false,
      ),
    );
    await expectSequenceIsPosition();
  });

  it('continues a store that was put back to an older copy', async () => {
    log.append(1_000);
    const relay = relayOf();
    await caughtUp(relay);
    await nats.kill();
    await nats.backUp();
    await nats.revive();
    log.append(1_000);
    await caughtUp(relay);
    await nats.kill();
    await nats.restore();
    await nats.revive();
    await eventually('the copy is filled up', () =>
      lastSequence().then(
        (last) => last === 2_000,
        () => false,
      ),
    );
    await expectSequenceIsPosition();
  });

  it('refuses a stream that is ahead of the log, leaves it as it is, and says so once', async () => {
    const later = new FakeLog();
    later.append(50);
    const before = relayOf({ read: later.read, head: later.head });
    await eventually('relayed', () => before.status().position === 50);
    await before.stop();
    log.append(20);
    const relay = relayOf();
    await eventually('refusing', () => relay.status().state === 'refusing');
    log.append(5);
    relay.notify(25);
    await eventually('looked again', () => relay.status().error?.message.includes('the log at 25') === true);
    expect(relay.status().error).toMatchObject({ code: 'TCN_LOG_DAMAGED' });
    expect(await lastSequence()).toBe(50);
    expect(errors.map((error) => error.code)).toEqual(['TCN_LOG_DAMAGED']);
  });

  it('refuses a stream that holds another event at the same position', async () => {
    const foreign = new FakeLog('foreign');
    foreign.append(10);
    const before = relayOf({ read: foreign.read, head: foreign.head });
    await eventually('relayed', () => before.status().position === 10);
    await before.stop();
    log.append(20);
    const relay = relayOf();
    await eventually('refusing', () => relay.status().state === 'refusing');
    expect(relay.status().error?.message).toMatch(/at position 10 they hold different events/);
    expect(await lastSequence()).toBe(10);
  });

  it('rebuilds such a stream where it was told that the broker is this log’s own', async () => {
    const foreign = new FakeLog('foreign');
    foreign.append(50);
    const before = relayOf({ read: foreign.read, head: foreign.head });
    await eventually('relayed', () => before.status().position === 50);
    await before.stop();
    log.append(20);
    await caughtUp(relayOf({ divergence: 'rebuild' }));
    await expectSequenceIsPosition();
  });

  it('relays again as soon as the contradicting stream has been deleted', async () => {
    const foreign = new FakeLog('foreign');
    foreign.append(50);
    const before = relayOf({ read: foreign.read, head: foreign.head });
    await eventually('relayed', () => before.status().position === 50);
    await before.stop();
    log.append(20);
    const relay = relayOf();
    await eventually('refusing', () => relay.status().state === 'refusing');
    await admin.streams.delete(STREAM);
    await caughtUp(relay);
    await expectSequenceIsPosition();
    expect(relay.status()).toMatchObject({ state: 'relaying', position: 20 });
    expect(relay.status().error).toBeUndefined();
  });

  it('waits out a log that cannot be read, and never publishes over a gap in it', async () => {
    log.append(100);
    let broken = true;
    const relay = relayOf({
      read: (after, limit) => (broken ? Promise.reject(new Error('no database')) : log.read(after, limit)),
    });
    await eventually('retrying', () => relay.status().state === 'retrying');
    expect(errors[0]).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    broken = false;
    await caughtUp(relay);
    await relay.stop();
    log.append(10);
    const gappy = relayOf({
      read: async (after, limit) => (await log.read(after, limit)).filter((e) => e.position !== 105),
    });
    await eventually('refusing', () => gappy.status().state === 'refusing');
    expect(gappy.status().error?.message).toMatch(/position 106 where 105 is next/);
    expect(await lastSequence()).toBe(104);
  });

  it('names an event the server takes for too large, and relays what is before it', async () => {
    const small = await NatsUnderTest.start({ max_payload: 65_536 });
    log.append(5);
    log.events.push({ ...eventAt(6), data: 'x'.repeat(70_000) });
    const relay = relayOf({ broker: await small.broker() });
    await eventually('refusing', () => relay.status().state === 'refusing');
    expect(relay.status().error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(relay.status().error?.message).toMatch(/position 6 has 7\d{4} bytes.* 65536/);
    await eventually('the others are there', () => relay.status().position === 5);
    await relay.stop();
    await small.dispose();
  });

  it('stops soon though neither the log nor NATS answers', async () => {
    log.append(10);
    const stuck = relayOf({ read: () => new Promise(() => undefined) });
    await eventually('relaying', () => stuck.status().state === 'relaying');
    const cut = relayOf();
    await eventually('relayed', () => cut.status().position === 10);
    await nats.kill();
    const start = performance.now();
    await Promise.all([stuck.stop(), cut.stop()]);
    expect(performance.now() - start).toBeLessThan(2_000);
    await nats.revive();
  });

  it('stops cleanly: what it has sent is stored, and nothing follows', async () => {
    log.append(5_000);
    const relay = relayOf();
    await eventually('under way', () => relay.status().position > 500);
    await relay.stop();
    const last = await lastSequence();
    expect(relay.status()).toMatchObject({ state: 'stopped', position: last });
    log.append(10);
    relay.notify(log.events.length);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await lastSequence()).toBe(last);
    relay.start();
    await caughtUp(relay);
    await expectSequenceIsPosition();
  });
});
