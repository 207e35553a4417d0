import type { RecordedEvent } from '@tocsin/domain';
import { eventually, type TestProcess } from '@tocsin/testing';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Log } from './consume.harness.js';
import { ascending, Consumer, durable, expectOnceInOrder, subjects } from './consumer.harness.js';

let log: Log;
let first: TestProcess | undefined;

beforeAll(async () => {
  log = await Log.start();
});

afterEach(async () => {
  await first?.kill9Tree();
  await Consumer.stopAll();
});

afterAll(() => log?.stop());

/** Starts a consumer in a process of its own, and waits until it has begun `count` events. */
async function processThatHandles(name: string, from: number, count: number): Promise<TestProcess> {
  first = await log.spawn(
    'consumer',
    'consumer-process.harness.ts',
    [log.servers, name, String(from), '20'],
    /^ready/m,
  );
  await eventually(() => begun(first).length >= count, { what: `it has begun ${count}`, timeoutMs: 30_000 });
  return first;
}

const begun = (child: TestProcess | undefined): number[] =>
  [...(child?.output ?? '').matchAll(/^begin (\d+) /gm)].map(([, position]) => Number(position));
/** What it has begun from a moment on, epoch milliseconds. */
const begunSince = (child: TestProcess, ms: number): number[] =>
  [...child.output.matchAll(/^begin (\d+) \S+ (\d+)$/gm)]
    .filter(([, , at]) => Number(at) >= ms)
    .map(([, position]) => Number(position));
const ended = (child: TestProcess): number[] =>
  [...child.output.matchAll(/^end (\d+) /gm)].map(([, position]) => Number(position));
const hasSaid = (child: TestProcess, role: string): boolean => new RegExp(`^${role}$`, 'm').test(child.output);

describe('several processes under one durable', () => {
  it('that begin at once: one works, the others stand by', async () => {
    const name = durable();
    const positions = await log.record(subjects(100, 5));
    const from = { position: positions[0]! };
    const all = Array.from({ length: 6 }, () => new Consumer(log, name, { from }));
    await eventually(() => all.every(({ roles }) => roles.length > 0), { what: 'each knows what it does' });
    await eventually(() => all.some(({ handled }) => handled.length === 100), { what: 'all is handled' });
    expect(all.flatMap(({ roles }) => roles).toSorted()).toEqual(['active', ...Array<string>(5).fill('standby')]);
    expectOnceInOrder(
      all.flatMap(({ handled }) => handled),
      positions,
    );
  });

  it('are replaced one by one, and every event is handled once, in order', async () => {
    const name = durable();
    const handled: RecordedEvent[] = [];
    const handle = async (event: RecordedEvent): Promise<void> => {
      await delay(Math.random() * 10);
      handled.push(event);
    };
    const names = subjects(1_200, 7);
    const [start] = await log.record(names.slice(0, 100));
    const from = { position: start! };
    let current = new Consumer(log, name, { from, handle });
    const recording = log.record(names.slice(100));
    for (let round = 1; round <= 6; round += 1) {
      const next = new Consumer(log, name, { from, handle });
      await eventually(() => handled.length >= round * 100, { what: 'it has come further', timeoutMs: 30_000 });
      await current.stop();
      current = next;
    }
    await recording;
    await eventually(() => handled.length >= 1_200, { what: 'all is handled', timeoutMs: 30_000 });
    await current.stop();
    expectOnceInOrder(handled, ascending([...new Set(names)].flatMap((subject) => log.recorded.get(subject) ?? [])));
  });

  it('of which the one that works is killed: the other takes its place, and gets twice only what was in hand', async () => {
    const name = durable();
    const positions = await log.record(subjects(600, 6));
    const killed = await processThatHandles(name, positions[0]!, 40);
    const second = new Consumer(log, name);
    await eventually(() => second.roles.includes('standby'), { what: 'the other stands by' });
    await killed.kill9Tree();
    await eventually(() => new Set([...ended(killed), ...second.positions]).size >= 600, {
      what: 'all is handled',
      timeoutMs: 30_000,
    });
    const before = new Set(ended(killed));
    expect(second.positions.filter((position) => before.has(position)).length).toBeLessThanOrEqual(16);
    expectOnceInOrder(second.handled, ascending(second.positions));
    expect(second.roles).toEqual(['standby', 'active']);
  });

  it('of which the one that works stands still and goes on later: it begins nothing more until the place is its own again', async () => {
    const name = durable();
    const positions = await log.record(subjects(600, 6));
    const stopped = await processThatHandles(name, positions[0]!, 40);
    const second = new Consumer(log, name, { handle: () => delay(5) });
    await eventually(() => second.roles.includes('standby'), { what: 'the other stands by' });
    process.kill(stopped.pid, 'SIGSTOP');
    await eventually(() => second.handled.length > 50, { what: 'the other works', timeoutMs: 30_000 });
    const resumedAt = Date.now();
    process.kill(stopped.pid, 'SIGCONT');
    await eventually(() => hasSaid(stopped, 'standby'), { what: 'it stands by', timeoutMs: 10_000 });
    expect(begunSince(stopped, resumedAt)).toEqual([]);
    await eventually(() => new Set([...ended(stopped), ...second.positions]).size >= 600, {
      what: 'all is handled',
      timeoutMs: 30_000,
    });
    expectOnceInOrder(second.handled, ascending(second.positions));
    const before = new Set(ended(stopped));
    expect(second.positions.filter((position) => before.has(position)).length).toBeLessThanOrEqual(16);

    await second.stop();
    const later = await log.record(subjects(10, 2));
    await eventually(() => later.every((position) => ended(stopped).includes(position)), {
      what: 'it works again',
      timeoutMs: 10_000,
    });
  });

  it.each(['killed', 'wiped'])(
    'whose broker is %s and away for longer than the lease: the one that worked goes on',
    async (how) => {
      const name = durable();
      const names = subjects(400, 9);
      const [start] = await log.record(names.slice(0, 300));
      const from = { position: start! };
      const lease = { ackWaitMs: 2_000 };
      const one = new Consumer(log, name, { ...lease, from, handle: () => delay(Math.random() * 100), concurrency: 4 });
      await one.until(50);
      const other = new Consumer(log, name, { ...lease, from });
      await eventually(() => other.roles.includes('standby'), { what: 'the other stands by' });
      const away = how === 'killed' ? log.restartBroker(3_500) : log.wipeBroker(3_500);
      // Handlers that ran when the lease ran out have ended by then.
      await delay(2_700);
      const whileUncertain = one.handled.length;
      await delay(500);
      expect(one.handled.length).toBe(whileUncertain);
      expect(whileUncertain).toBeLessThan(300);
      await away;
      await log.record(names.slice(300));
      await one.until(400);
      expect(other.handled).toEqual([]);
      expect(one.roles).toEqual(['active']);
      expectOnceInOrder(
        one.handled,
        ascending([...new Set(names)].flatMap((subject) => log.recorded.get(subject) ?? [])),
      );
    },
  );
});
