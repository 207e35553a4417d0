import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type FakeNode, Receiver } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscribe } from '../harness/fleet.js';
import { ThreeObservers } from '../harness/three-observers.js';

const SHIFT_CLOCK = join(import.meta.dirname, '../harness/shift-clock.mjs');
const HANGING = 100;

describe('three observers, over time', () => {
  let three: ThreeObservers;

  beforeAll(async () => {
    three = await ThreeObservers.start(
      { TOCSIN_FLAPPING_HALF_LIFE: '45s' },
      { NODE_OPTIONS: `--import ${SHIFT_CLOCK}` },
    );
  });
  afterAll(() => three?.destroy());

  it('announce nothing because the clocks of two of them jump an hour forward and back', async () => {
    const { names } = await three.fleet('clock', 20);
    const [, ...shifted] = three.observers;
    for (let jump = 0; jump < 3; jump += 1) {
      for (const observer of shifted) process.kill(observer.pid, 'SIGUSR2');
      await sleep(4_000);
    }
    expect(await three.stored('io.tocsin.node.*', 'clock')).toEqual([]);
    expect(await three.stored('io.tocsin.observer.*')).toEqual([]);
    expect(await three.stored('io.tocsin.target.stale')).toEqual([]);
    await three.retire(names);
  });

  it('notice an outage as quickly while every receiver hangs', async () => {
    const latencyMs = async (prefix: string): Promise<number> => {
      const { nodes, names } = await three.fleet(prefix, 9);
      const diedAt = Date.now();
      await Promise.all(nodes.map((node) => node.down()));
      await eventually(async () => (await three.stored('io.tocsin.node.offline', prefix)).length === names.length, {
        what: `${prefix}: every outage is recorded`,
        timeoutMs: 30_000,
      });
      const events = await three.stored('io.tocsin.node.offline', prefix);
      await three.retire(names);
      const sorted = events
        .map((event) => Date.parse(event.recordedtime) - diedAt)
        .toSorted((one, other) => one - other);
      return sorted[4] ?? Number.NaN;
    };
    const beforeMs = await latencyMs('calm');
    const hanging = await Receiver.start({ answer: { hang: 'before-head' } });
    three.receiver.respond({ hang: 'before-head' });
    for (let index = 0; index < HANGING; index += 1) await subscribe(three.tocsin, `hangs-${index}`, hanging.url);
    // The first outages fill every slot there is with requests that hang.
    await latencyMs('fill');
    const afterMs = await latencyMs('hung');
    expect(hanging.requests.length).toBeGreaterThan(0);
    expect(afterMs).toBeLessThan(beforeMs + 1_000);
    for (let index = 0; index < HANGING; index += 1) {
      await three.tocsin.call('DELETE', `/v1/subscriptions/hangs-${index}`);
    }
    three.receiver.respond({});
    await hanging.close();
  });

  it('say once that a target flaps and once that it has stopped, and tell a down that lasts all the same', async () => {
    const { nodes } = await three.fleet('flap', 1);
    const [node] = nodes as [FakeNode];
    const changes = async () => [
      ...(await three.stored('io.tocsin.node.offline', 'flap')),
      ...(await three.stored('io.tocsin.node.online', 'flap')),
    ];
    const facts = () =>
      three
        .told()
        .filter((line) => line.endsWith(' node/flap-0'))
        .map((line) => line.split(' ')[0]);
    for (let count = 1; count <= 7; count += 1) {
      await (count % 2 === 1 ? node.down() : node.up());
      await eventually(async () => (await changes()).length >= count, { what: `change ${count}`, timeoutMs: 20_000 });
    }
    const downAt = Date.now();
    await eventually(
      async () =>
        (await three.stored('io.tocsin.node.offline', 'flap')).some(({ reconciles }) => reconciles !== undefined),
      { what: 'the down that lasts', timeoutMs: 75_000 },
    );
    expect(Date.now() - downAt).toBeGreaterThan(50_000);
    await node.up();
    await eventually(async () => (await three.stored('io.tocsin.node.flapping-stopped', 'flap')).length > 0, {
      what: 'it has stopped',
      timeoutMs: 150_000,
    });
    await eventually(() => facts().length >= 10, { what: 'all is told', timeoutMs: 30_000 });
    await sleep(2_000);
    expect(facts().slice(0, 8)).toEqual([
      ...['offline', 'online', 'offline', 'online', 'offline', 'online'],
      ...['flapping-started', 'offline'],
    ]);
    // Its end, and the recovery that was kept back until then: both at once, in either order.
    expect(facts().slice(8).toSorted()).toEqual(['flapping-stopped', 'online']);
    expect((await three.stored('io.tocsin.node.flapping-stopped', 'flap'))[0]?.data.state).toBe('up');
  }, 300_000);
});
