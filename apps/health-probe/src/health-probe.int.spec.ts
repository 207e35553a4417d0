import { setTimeout as sleep } from 'node:timers/promises';
import { PROBE_RPC, probeCountsSchema } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { type FakeNode } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ObserverWorld } from './observer.harness.js';

let world: ObserverWorld;

beforeEach(async () => {
  world = await ObserverWorld.start();
});
afterEach(() => world.close());

const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 20_000, interval: 20 });

describe('an observer', () => {
  it('records the first verdict as fresh, then announces an outage and its end in one episode', async () => {
    const node = await world.node();
    await world.observe();
    const name = await world.declare(node);
    await world.facts(name, ['target.fresh']);
    const downAt = Date.now();
    await node.down();
    await world.facts(name, ['target.fresh', 'offline']);
    await node.up();
    await world.facts(name, ['target.fresh', 'offline', 'online']);

    const [fresh, offline, online] = world.recorder.about(name);
    expect(fresh).toMatchObject({ subject: `target/${name}`, data: { name, kind: 'node', from: 'pending', to: 'up' } });
    expect(offline).toMatchObject({
      subject: `node/${name}`,
      version: 1,
      extensions: { episode: expect.stringMatching(/^ep_/) as string },
      data: {
        target: name,
        kind: 'node',
        labels: { role: 'edge' },
        from: 'up',
        to: 'down',
        reason: `connection refused by 127.0.0.1:${node.port}`,
        confidence: 'single',
      },
    });
    expect(Math.abs(Date.parse(offline?.time ?? '') - downAt)).toBeLessThan(2_000);
    expect(online).toMatchObject({
      version: 2,
      extensions: { episode: offline?.extensions['episode'] },
      data: { from: 'down', to: 'up', reason: 'HTTP 200', downMs: expect.any(Number) as number },
    });
  });

  it('announces a target that has never answered', async () => {
    const node = await world.node();
    await node.down();
    await world.observe();
    const name = await world.declare(node);
    await world.facts(name, ['offline']);
    expect(world.recorder.about(name)[0]?.data).toMatchObject({ from: 'pending', to: 'down' });
  });

  it('announces nothing again after a restart, and the end of the outage it finds in the log', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    const first = await world.observe();
    await world.facts(name, ['target.fresh']);
    await node.down();
    await world.facts(name, ['target.fresh', 'offline']);
    await world.end(first);

    const second = await world.observe();
    await world.settle();
    expect(world.recorder.facts(name)).toEqual(['target.fresh', 'offline']);
    await world.end(second);

    await node.up();
    await world.observe();
    await world.facts(name, ['target.fresh', 'offline', 'online']);
    await world.settle();
    const [, offline, online, ...more] = world.recorder.about(name);
    expect(more).toEqual([]);
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });

  it('probes while the recorder is away, and holds what it has confirmed', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    await world.recorder.stop();
    const { readiness } = await world.observe();
    await eventually(() => expect(node.requests).toBeGreaterThan(2));
    await node.down();
    await world.settle();
    expect((await readiness.check()).checks['health-probe']).toContain('announced state of 1 targets');
    world.recorder.start(world.broker);
    await world.facts(name, ['target.fresh', 'offline']);
    await eventually(async () => expect((await readiness.check()).status).toBe('ok'));
  });

  it('loses neither outage nor recovery that happened while the recorder was away', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    await world.observe();
    await world.facts(name, ['target.fresh']);
    await world.recorder.stop();
    await node.down();
    await world.settle();
    await node.up();
    await world.settle();
    world.recorder.start(world.broker);
    await world.facts(name, ['target.fresh', 'offline', 'online']);
    const [, offline, online] = world.recorder.about(name);
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });

  it('announces once although the answers to its appends are lost', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    await world.observe();
    await world.facts(name, ['target.fresh']);
    world.recorder.losesAnswers = 3;
    await node.down();
    await eventually(() => expect(world.recorder.losesAnswers).toBe(0));
    await world.settle();
    expect(world.recorder.facts(name)).toEqual(['target.fresh', 'offline']);
  });

  it('is not held up by events of others about the same subject', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    await world.observe();
    await world.facts(name, ['target.fresh']);
    world.recorder.record({ type: 'com.acme.deployed', subject: `node/${name}`, source: 'acme' });
    world.recorder.record({
      type: 'io.tocsin.target.updated',
      subject: `target/${name}`,
      source: 'tocsin/subscription-registry',
    });
    await node.down();
    await world.facts(name, ['target.fresh', 'offline']);
    expect(world.recorder.about(name)[1]?.version).toBe(2);
  });

  it('says fresh again of a target that was removed and declared again', async () => {
    const node = await world.node();
    await world.observe();
    const name = await world.declare(node);
    await world.facts(name, ['target.fresh']);
    await world.bucket.delete(name);
    const requests = await quiet(node);
    await world.settle();
    expect(node.requests).toBe(requests);
    world.recorder.record({
      type: 'io.tocsin.target.registered',
      subject: `target/${name}`,
      source: 'tocsin/subscription-registry',
    });
    await world.declare(node, name);
    await world.facts(name, ['target.fresh', 'target.fresh']);
  });

  it('goes on with what it knows when a declaration changes', async () => {
    const node = await world.node();
    await world.observe();
    const name = await world.declare(node);
    await world.facts(name, ['target.fresh']);
    await world.declare(node, name);
    await world.settle();
    expect(world.recorder.facts(name)).toEqual(['target.fresh']);
    await node.down();
    await world.facts(name, ['target.fresh', 'offline']);
  });

  it('takes no target for dead because it was blocked itself', async () => {
    const node = await world.node();
    // One node stands for all, and every stall is to hit many probes in flight.
    await world.observe('fra-1', { TOCSIN_PROBE_IN_FLIGHT_PER_PEER: '50' });
    const names: string[] = [];
    for (let index = 0; index < 100; index += 1)
      names.push(await world.declare(node, `edge-${index}`, { interval: '500ms' }));
    await Promise.all(names.map((name) => world.facts(name, ['target.fresh'])));
    for (let stall = 0; stall < 3; stall += 1) {
      const until = performance.now() + 2_000;
      while (performance.now() < until);
      await world.settle(300);
    }
    await world.settle();
    await Promise.all(names.map((name) => world.facts(name, ['target.fresh'])));
  });

  it('announces nothing because its clock was set an hour forward or back, and what happens then it does', async () => {
    const nodes = await Promise.all(Array.from({ length: 20 }, () => world.node()));
    let setMs = 0;
    await world.observe('fra-1', {}, { now: () => Date.now() + setMs, monotonicMs: () => performance.now() });
    const names = await Promise.all(nodes.map((node) => world.declare(node)));
    await Promise.all(names.map((name) => world.facts(name, ['target.fresh'])));
    for (const hours of [1, -1]) {
      setMs = hours * 3_600_000;
      await world.settle();
      for (const name of names) expect(world.recorder.facts(name)).toEqual(['target.fresh']);
    }
    await Promise.all(nodes.map((node) => node.down()));
    await Promise.all(names.map((name) => world.facts(name, ['target.fresh', 'offline'])));
    // Forward, an outage would look an hour old, and be looked at every 30 s only.
    setMs = -7_200_000;
    await world.settle();
    await Promise.all(nodes.map((node) => node.up()));
    await Promise.all(names.map((name) => world.facts(name, ['target.fresh', 'offline', 'online'])));
    for (const name of names) {
      const [, offline, online] = world.recorder.about(name) as RecordedEvent[];
      expect((offline!.data as { detectionMs: number }).detectionMs).toBeLessThan(5_000);
      expect((online!.data as { detectionMs: number }).detectionMs).toBeLessThan(5_000);
    }
  });

  it('says once that a target is stale which it cannot look at itself, and once that it is fresh again', async () => {
    const node = await world.node();
    await world.observe();
    const name = await world.declare(node);
    await world.facts(name, ['target.fresh']);
    // TCP knows no broadcast: this observer has no way there, which is no word on the target.
    await world.declare({ url: 'http://255.255.255.255/', port: node.port }, name);
    await world.facts(name, ['target.fresh', 'target.stale'], 30_000);
    await world.settle();
    await world.declare(node, name);
    await world.facts(name, ['target.fresh', 'target.stale', 'target.fresh']);
    await world.settle();
    expect(world.recorder.facts(name)).toEqual(['target.fresh', 'target.stale', 'target.fresh']);
    await node.down();
    await world.facts(name, ['target.fresh', 'target.stale', 'target.fresh', 'offline']);
  });

  it('tells what it has done', async () => {
    const node = await world.node();
    const name = await world.declare(node);
    await world.observe();
    await world.facts(name, ['target.fresh']);
    await node.down();
    await world.facts(name, ['target.fresh', 'offline']);
    await eventually(async () => {
      const counts = await world.broker.request(`${PROBE_RPC.statsPrefix}.fra-1`, {}, { schema: probeCountsSchema });
      expect(counts).toMatchObject({ observer: 'fra-1', targets: 1, suspicions: 1, transitions: 1, announced: 1 });
      expect(counts.checks).toBeGreaterThanOrEqual(4);
    });
  });
});

/** Waits until nothing has asked the node for half a second. */
async function quiet(node: FakeNode): Promise<number> {
  for (let before = -1; before !== node.requests;) {
    before = node.requests;
    await sleep(500);
  }
  return node.requests;
}
