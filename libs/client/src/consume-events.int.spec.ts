import { eventually } from '@tocsin/testing';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { consumeEvents } from './consume-events.js';
import { Log } from './consume.harness.js';
import { ascending, Consumer, durable, expectOnceInOrder, subjects } from './consumer.harness.js';

let log: Log;

beforeAll(async () => {
  log = await Log.start();
});

afterEach(async () => {
  await Consumer.stopAll();
});

afterAll(() => log?.stop());

describe('consuming', () => {
  it('hands over every event once, those of a subject in order', async () => {
    const positions = await log.record(subjects(300, 7));
    const consumer = new Consumer(log, durable(), {
      from: { position: positions[0]! },
      handle: () => delay(Math.random() * 5),
    });
    await consumer.until(positions.length);
    await log.relayed(positions.at(-1)!);
    await consumer.stop();
    expectOnceInOrder(consumer.handled, positions);
  });

  it('goes on where it was stopped, and gives back what it had not begun', async () => {
    const name = durable();
    const positions = await log.record(subjects(200, 5));
    const first = new Consumer(log, name, {
      from: { position: positions[0]! },
      handle: () => delay(2),
      concurrency: 3,
    });
    await first.until(50);
    await first.stop();
    const second = new Consumer(log, name);
    await second.until(positions.length - first.handled.length);
    await second.stop();
    expectOnceInOrder([...first.handled, ...second.handled], positions);
  });

  it('begins now, at a position, or at a time', async () => {
    const positions = await log.record(subjects(20, 2));
    const fromPosition = new Consumer(log, durable(), { from: { position: positions[15]! } });
    await fromPosition.until(5);
    const { recordedAt, position } = fromPosition.handled[0]!;
    expect(position).toBe(positions[15]);
    await delay(5);
    const time = new Date(Date.parse(recordedAt) + 1);
    const fromNow = new Consumer(log, durable(), { from: 'now' });
    await eventually(async () => (await log.look()).durables.has(fromNow.durable), { what: 'its durable is there' });
    const later = await log.record(subjects(3, 1));
    const fromTime = new Consumer(log, durable(), { from: { time } });
    await Promise.all([fromNow.until(3), fromTime.until(3)]);
    expect(fromNow.positions).toEqual(later);
    expect(fromTime.positions.slice(-3)).toEqual(later);
    expect(fromTime.handled.every((event) => Date.parse(event.recordedAt) >= time.getTime())).toBe(true);
  });

  it('gets only the types and the subject it wants', async () => {
    const [one = '', other = ''] = subjects(2, 2);
    const [first] = await log.record([one, other], { type: 'com.acme.deploy.started' });
    await log.record([one, other], { type: 'com.acme.deploy' });
    const last = (await log.record([one, other], { type: 'com.acme.deploy.ended' })).at(-1)!;
    const byType = new Consumer(log, durable(), { from: { position: first! }, types: ['com.acme.deploy.*'] });
    const bySubject = new Consumer(log, durable(), { from: { position: first! }, types: ['com.acme.*'], subject: one });
    await Promise.all([byType.until(4), bySubject.until(3)]);
    await eventually(async () => (await log.look()).durables.get(bySubject.durable)?.acked === last, {
      what: 'all is acknowledged',
    });
    expect(byType.handled.map(({ type }) => type)).not.toContain('com.acme.deploy');
    expect(bySubject.handled.map(({ subject }) => subject)).toEqual([one, one, one]);
  });

  it('gets nothing that is told to nobody, unless it asks for it', async () => {
    const [first = 0] = await log.record(['withheld/x']);
    const withheld = await log.withhold('withheld');
    const [last = 0] = await log.record(['withheld/x']);
    await log.relayed(last);
    const from = { position: first };
    const told = new Consumer(log, 'told', { from });
    const all = new Consumer(log, 'told-all', { from, withheld: true });
    await Promise.all([told.until(2), all.until(3)]);
    expect(told.positions).toEqual([first, last]);
    expect(all.positions.toSorted((a, b) => a - b)).toEqual([first, withheld, last]);
    await Promise.all([told.stop(), all.stop()]);
  });

  it('holds back only the subject whose handler fails, and hands the same event over again', async () => {
    const names = subjects(30, 3);
    const positions = await log.record(names);
    const bad = positions[0]!;
    let healed = false;
    const consumer = new Consumer(log, durable(), {
      from: { position: bad },
      handle: (event) => (event.position === bad && !healed ? Promise.reject(new Error('not now')) : Promise.resolve()),
    });
    await consumer.until(20);
    expect(consumer.handled.some(({ subject }) => subject === names[0])).toBe(false);
    // Longer than the ack wait: what is in hand is not delivered to anybody else meanwhile.
    await eventually(() => consumer.errors.length >= 4, { what: 'it has been tried four times' });
    healed = true;
    await consumer.until(30);
    await consumer.stop();
    expectOnceInOrder(consumer.handled, positions);
  });

  it('refuses what cannot be meant', async () => {
    const options = {
      servers: log.servers,
      durable: 'x',
      onEvent: () => Promise.resolve(),
      signal: new AbortController().signal,
    };
    const invalid = expect.objectContaining({ code: 'TCN_INVALID' });
    await expect(consumeEvents({ ...options, durable: 'a.b' })).rejects.toEqual(invalid);
    await expect(consumeEvents({ ...options, types: ['a..b'] })).rejects.toEqual(invalid);
    await expect(consumeEvents({ ...options, from: { position: 0 } })).rejects.toEqual(invalid);
    await expect(consumeEvents({ ...options, from: { time: 'yesterday' } })).rejects.toEqual(invalid);
    await expect(consumeEvents({ ...options, concurrency: 0 })).rejects.toEqual(invalid);
  });
});

describe('a broker that fails in the middle', () => {
  it.each([1, 2, 3])('loses its store: every event is handled once, in order (round %i)', async () => {
    const names = subjects(900, 11);
    const [start] = await log.record(names.slice(0, 300));
    const consumer = new Consumer(log, durable(), {
      from: { position: start! },
      handle: () => delay(Math.random() * 8),
      concurrency: 8,
    });
    await consumer.until(20 + Math.floor(Math.random() * 150));
    const recording = log.record(names.slice(300));
    await delay(Math.random() * 100);
    await log.wipeBroker();
    const last = (await recording).at(-1)!;
    await consumer.until(900);
    await log.relayed(last);
    await eventually(async () => (await log.look()).durables.get(consumer.durable)?.acked === last, {
      what: 'all is acknowledged',
      timeoutMs: 20_000,
    });
    await consumer.stop();
    expectOnceInOrder(consumer.handled, ascending([...new Set(names)].flatMap((name) => log.recorded.get(name) ?? [])));
  });

  it('is killed and comes back with its store: every event is handled once, in order', async () => {
    const names = subjects(600, 9);
    const [start] = await log.record(names.slice(0, 300));
    const consumer = new Consumer(log, durable(), {
      from: { position: start! },
      handle: () => delay(Math.random() * 8),
      concurrency: 8,
    });
    await consumer.until(50);
    const recording = log.record(names.slice(300));
    await log.restartBroker();
    await recording;
    await consumer.until(600);
    await consumer.stop();
    expectOnceInOrder(consumer.handled, ascending([...new Set(names)].flatMap((name) => log.recorded.get(name) ?? [])));
  });

  it('loses its store while nobody consumes: the durable is made again and goes on after what was acknowledged', async () => {
    const name = durable();
    const positions = await log.record(subjects(100, 4));
    const before = new Consumer(log, name, {
      from: { position: positions[0]! },
      handle: () => delay(1),
      concurrency: 1,
    });
    await before.until(40);
    await before.stop();
    const acked = before.positions.at(-1)!;
    await eventually(async () => (await log.remembered(name)) === acked, { what: 'the place is written down' });
    await log.wipeBroker();
    await eventually(async () => (await log.look()).durables.get(name)?.acked === acked, {
      what: 'the durable is back',
      timeoutMs: 20_000,
    });
    const after = new Consumer(log, name, { from: 'start' });
    await after.until(positions.length - before.handled.length);
    await after.stop();
    expectOnceInOrder([...before.handled, ...after.handled], positions);
  });
});

describe('a consumer that is killed', () => {
  it('is followed by another that gets the rest in order, and twice only what was in hand', async () => {
    const name = durable();
    const names = subjects(400, 6);
    const positions = await log.record(names);
    const lines = (output: string, word: string): number[] =>
      [...output.matchAll(new RegExp(`^${word} (\\d+) `, 'gm'))]
        .map((match) => Number(match[1]))
        .filter((position) => position >= positions[0]!);
    const options = [log.servers, name, String(positions[0]), '100'];
    const first = await log.spawn('consumer', 'consumer-process.harness.ts', options, /^ready/m);
    // Far from the end: the kill takes a second on a machine that is busy.
    await eventually(() => lines(first.output, 'end').length > 60, { what: 'it has handled some', timeoutMs: 30_000 });
    await first.kill9Tree();
    const second = new Consumer(log, name, { from: 'start' });
    const begun = lines(first.output, 'begin');
    const ended = new Set(lines(first.output, 'end'));
    await eventually(() => new Set([...ended, ...second.positions]).size >= 400, {
      what: 'all is handled',
      timeoutMs: 30_000,
    });
    await second.stop();
    const twice = second.positions.filter((position) => ended.has(position));
    // At most what its concurrency lets it have in hand: an acknowledgement may not have left the process.
    expect(twice.length).toBeLessThanOrEqual(16);
    expect(begun.length).toBeLessThan(400);
    expectOnceInOrder(second.handled, ascending(second.positions));
    for (const position of positions) expect(ended.has(position) || second.positions.includes(position)).toBe(true);
  });
});

describe('what the stream does not hold', () => {
  // The smallest stream there can be holds 16 MiB: these are 24.
  const padding = 'x'.repeat(16 * 1024);
  const recordMuch = (small: Log, names: readonly string[]): Promise<number[]> =>
    small.record(names, { data: { padding } });
  const names = Array.from({ length: 1_500 }, (_, index) => `big/${index % 13}`);
  let small: Log;

  beforeAll(async () => {
    small = await Log.start({ TOCSIN_RELAY_MAX_BYTES: String(16 * 1024 ** 2) });
    // Told to nobody, and in the log alone by the time anybody consumes.
    expect(await small.withhold('first')).toBe(1);
    await small.relayed((await recordMuch(small, names)).at(-1)!);
  });

  afterAll(() => small?.stop());

  it('is read from the log first, then the stream', async () => {
    expect((await small.look()).first).toBeGreaterThan(100);
    const consumer = new Consumer(small, durable(), { from: 'start' });
    await consumer.until(1_500);
    await consumer.stop();
    expectOnceInOrder(
      consumer.handled,
      names.map((_, index) => index + 2),
    );
  });

  it.each(['restores', 'does not restore'])(
    'is read on where the broker was wiped in the middle of it, also if the recorder %s the durable first',
    async (how) => {
      const name = durable();
      const first = new Consumer(small, name, {
        from: 'start',
        concurrency: 1,
        handle: () => delay(5),
      });
      await first.until(250);
      await first.stop();
      await delay(1_500);
      await small.wipeBroker();
      if (how === 'restores') {
        await eventually(async () => (await small.look()).durables.has(name), {
          what: 'the durable is back',
          timeoutMs: 20_000,
        });
      }
      const second = new Consumer(small, name);
      await eventually(() => new Set([...first.positions, ...second.positions]).size === 1_500, {
        what: 'all is handled',
        timeoutMs: 40_000,
      });
      await second.stop();
      expectOnceInOrder(second.handled, ascending(second.positions));
      // How far it had come in the log is noted page by page.
      expect(second.positions[0]).toBeGreaterThan(2);
    },
  );

  it('is read by a consumer that the stream has overtaken while it was off', async () => {
    const name = durable();
    const first = new Consumer(small, name, { from: 'now' });
    await eventually(async () => (await small.look()).durables.has(name), { what: 'its durable is there' });
    const some = await recordMuch(small, names.slice(0, 13));
    await first.until(13);
    await first.stop();
    const more = await recordMuch(small, names);
    await small.relayed(more.at(-1)!);
    expect((await small.look()).first).toBeGreaterThan(some.at(-1)! + 1);
    const second = new Consumer(small, name);
    await second.until(more.length);
    await second.stop();
    expectOnceInOrder(second.handled, more);
  });
});
