import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TcpProxy, eventually, type FakeNode } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeStatistics } from './app.module.js';
import { ObserverWorld, type RunningObserver } from './observer.harness.js';

let world: ObserverWorld;

beforeEach(async () => {
  world = await ObserverWorld.start();
});
afterEach(() => world.close());

const counts = (observer: RunningObserver) => observer.app.get(ProbeStatistics, { strict: false }).counts();

async function fleet(size: number): Promise<{ nodes: FakeNode[]; names: string[] }> {
  const nodes = await Promise.all(Array.from({ length: size }, () => world.node()));
  const names: string[] = [];
  for (const node of nodes) names.push(await world.declare(node));
  return { nodes, names };
}

const all = (names: readonly string[], facts: string[]) => Promise.all(names.map((name) => world.facts(name, facts)));

/** Waits until every target is watched by exactly one of these observers. */
async function shared(observers: readonly RunningObserver[], targets: number): Promise<void> {
  const sum = () => observers.reduce((total, observer) => total + counts(observer).targets, 0);
  await eventually(() => sum() === targets, {
    what: `${targets} targets shared among ${observers.length}`,
    timeoutMs: 15_000,
  });
}

function ownEvents(): { type: string; subject: string }[] {
  return world.recorder.events
    .filter((event) => /^io\.tocsin\.(?:observer|vantage)\./.test(event.type))
    .map(({ type, subject }) => ({ type, subject }));
}

describe('several observers', () => {
  it('share the targets, and confirm an outage by votes', async () => {
    const observers = await Promise.all(['fra-1', 'fra-2', 'fra-3'].map((id) => world.observe(id)));
    const { nodes, names } = await fleet(12);
    await all(names, ['target.fresh']);
    await shared(observers, 12);
    for (const observer of observers) expect(counts(observer).targets).toBeGreaterThan(0);

    await Promise.all(nodes.map((node) => node.down()));
    await all(names, ['target.fresh', 'offline']);
    await Promise.all(nodes.map((node) => node.up()));
    await all(names, ['target.fresh', 'offline', 'online']);
    for (const name of names) {
      const [, offline, online] = world.recorder.about(name);
      expect(offline?.data).toMatchObject({ confidence: 'quorum', votes: { fail: 3, pass: 0, abstain: 0 } });
      expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
    }
  });

  it('do not announce what only one of them sees', async () => {
    const observers = await Promise.all(['fra-1', 'fra-2', 'fra-3'].map((id) => world.observe(id)));
    const blind = new Set<string>();
    const server = createServer((request, response) => {
      const by = request.headers['user-agent'] ?? '';
      const sees = ![...blind].some((id) => by.includes(id));
      response.writeHead(sees ? 200 : 503).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const name = await world.declare({ url: `http://127.0.0.1:${port}/`, port }, 'edge-1', { interval: '1s' });
    await world.facts(name, ['target.fresh']);
    await shared(observers, 1);
    const owner = observers.find((observer) => counts(observer).targets === 1);
    blind.add(owner?.id ?? '');
    await eventually(() => owner !== undefined && counts(owner).refused >= 2, {
      what: 'two refusals',
      timeoutMs: 20_000,
    });
    await world.facts(name, ['target.fresh']);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('take over the targets of one that dies, and announce nothing because of that', async () => {
    const observers = await Promise.all(['fra-1', 'fra-2', 'fra-3'].map((id) => world.observe(id)));
    const { nodes, names } = await fleet(12);
    await all(names, ['target.fresh']);
    await shared(observers, 12);
    const [dead, ...alive] = observers as [RunningObserver, ...RunningObserver[]];
    await world.kill(dead);
    await shared(alive, 12);
    await Promise.all(nodes.map((node) => node.down()));
    await all(names, ['target.fresh', 'offline']);
    for (const name of names) {
      expect(world.recorder.about(name)[1]?.data).toMatchObject({ confidence: 'quorum', votes: { fail: 2 } });
    }
  });

  it('announce the end of an outage that another has announced before it left', async () => {
    const first = await world.observe('fra-1');
    const { nodes, names } = await fleet(3);
    await all(names, ['target.fresh']);
    await Promise.all(nodes.map((node) => node.down()));
    await all(names, ['target.fresh', 'offline']);
    await world.observe('fra-2');
    await world.end(first);
    await Promise.all(nodes.map((node) => node.up()));
    await all(names, ['target.fresh', 'offline', 'online']);
    await world.settle();
    await all(names, ['target.fresh', 'offline', 'online']);
  });
});

describe('an observer that loses its network', () => {
  it('announces no target, says once that it was isolated, and gets its targets back', async () => {
    const natsLine = await TcpProxy.start({ targetPort: Number(new URL(world.natsUrl).port) });
    const well = await Promise.all(['fra-1', 'fra-2'].map((id) => world.observe(id)));
    const cut = await world.observe('fra-3', { TOCSIN_NATS_URL: natsLine.through(world.natsUrl) });
    const { nodes, names } = await fleet(12);
    await all(names, ['target.fresh']);
    await shared([...well, cut], 12);
    expect(counts(cut).targets).toBeGreaterThan(0);

    await natsLine.refuse();
    await shared(well, 12);
    await eventually(() => counts(cut).targets === 0, { what: 'the isolated observer to let go', timeoutMs: 15_000 });
    expect(ownEvents()).toEqual([]);

    await natsLine.restore();
    await shared([...well, cut], 12);
    await eventually(() => ownEvents().length === 2, { what: 'isolated and rejoined' });
    expect(ownEvents()).toEqual([
      { type: 'io.tocsin.observer.isolated', subject: 'observer/fra-3' },
      { type: 'io.tocsin.observer.rejoined', subject: 'observer/fra-3' },
    ]);
    await all(names, ['target.fresh']);
    await Promise.all(nodes.map((node) => node.down()));
    await all(names, ['target.fresh', 'offline']);
    await natsLine.close();
  });
});
