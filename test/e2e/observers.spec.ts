import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, FakeNode, Receiver, TcpProxy, type TestProcess } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allUp, subscribe, told, watchAll, type DeclaredNode } from '../harness/fleet.js';
import { Installation } from '../harness/installation.js';
import type { StoredEvent } from '../harness/three-observers.js';

/** The site that dies as a whole: so many nodes, each with so many targets. */
const SITE = { nodes: 20, perNode: 50 };
const EVERYTHING = ['io.tocsin.node.*', 'io.tocsin.group.*', 'io.tocsin.observer.*'];

describe('three observers', () => {
  let tocsin: Installation;
  let receiver: Receiver;
  const nodes: FakeNode[] = [];
  const cleanups: (() => Promise<void>)[] = [];

  /** What the log holds of these types. */
  const stored = async (type: string) => (await tocsin.events(`&type=${type}`)) as unknown as StoredEvent[];

  async function start(env: Record<string, string> = {}, last: Record<string, string> = {}): Promise<TestProcess[]> {
    tocsin = await Installation.create('distributed', env);
    await tocsin.start();
    const second = await tocsin.addObserver('obs-2');
    const third = await tocsin.addObserver('obs-3', last);
    receiver.secrets = [await subscribe(tocsin, 'all', receiver.url, EVERYTHING)];
    return [tocsin.process('health-probe'), second, third];
  }

  /** Nodes of their own, declared and seen up. */
  async function fleet(
    size: number,
    more: Partial<DeclaredNode> = {},
  ): Promise<{ nodes: FakeNode[]; names: string[] }> {
    const fresh: FakeNode[] = [];
    for (let index = 0; index < size; index += 1) fresh.push(await FakeNode.start());
    nodes.push(...fresh);
    const names = fresh.map((_node, index) => `edge-${index}`);
    await watchAll(
      tocsin,
      fresh.map(({ url }, index) => ({ name: `edge-${index}`, url, ...more })),
    );
    await allUp(tocsin, size);
    return { nodes: fresh, names };
  }

  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await tocsin.destroy();
    await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
    await Promise.all(nodes.splice(0).map((node) => node.close()));
    await receiver.close();
  });

  it('announce no target because one of them loses its network; that one says so once, and the others watch on', async () => {
    tocsin = await Installation.create('distributed');
    await tocsin.start();
    const natsUrl = await tocsin.natsUrl();
    const line = await TcpProxy.start({ targetPort: Number(new URL(natsUrl).port) });
    // What it asks on its way to the targets is cut with it.
    let cut = false;
    let down = false;
    const site = createServer((request, response) => {
      if (down || (cut && request.headers['user-agent']?.includes('obs-3') === true)) request.socket.destroy();
      else response.end('ok');
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
    cleanups.push(
      () => line.close(),
      () => new Promise((resolve) => site.close(() => resolve())),
    );
    await tocsin.addObserver('obs-2');
    await tocsin.addObserver('obs-3', {
      TOCSIN_NATS_URL: line.through(natsUrl),
      TOCSIN_CANARIES: `127.0.0.1:${line.port}`,
    });
    receiver.secrets = [await subscribe(tocsin, 'all', receiver.url, EVERYTHING)];
    const names = Array.from({ length: 40 }, (_, index) => `edge-${index}`);
    await watchAll(
      tocsin,
      names.map((name) => ({ name, url })),
    );
    await allUp(tocsin, names.length);

    cut = true;
    await line.refuse();
    await sleep(15_000);
    expect(await stored('io.tocsin.node.offline')).toEqual([]);
    down = true;
    await eventually(async () => (await stored('io.tocsin.node.offline')).length === names.length, {
      what: 'every target, also those of the lost observer, is announced by the others',
      timeoutMs: 40_000,
    });
    for (const { data } of await stored('io.tocsin.node.offline')) {
      expect(data.evidence?.map(({ observer }) => observer)).not.toContain('obs-3');
    }
    down = false;
    cut = false;
    await line.restore();
    await eventually(async () => (await stored('io.tocsin.observer.rejoined')).length === 1, {
      what: 'the observer is back',
      timeoutMs: 30_000,
    });
    await sleep(3_000);
    expect((await stored('io.tocsin.observer.*')).map(({ type, subject }) => `${type} ${subject}`)).toEqual([
      'io.tocsin.observer.isolated observer/obs-3',
      'io.tocsin.observer.rejoined observer/obs-3',
    ]);
    expect(await stored('io.tocsin.node.offline')).toHaveLength(names.length);
  });

  it('take no healthy target for dead because one of them stands still for two seconds, whichever it is', async () => {
    const observers = await start({ TOCSIN_PROBE_IN_FLIGHT_PER_PEER: '50' });
    const few: FakeNode[] = [];
    for (let index = 0; index < 25; index += 1) few.push(await FakeNode.start());
    nodes.push(...few);
    const targets = Array.from({ length: 500 }, (_, index) => ({
      name: `edge-${index}`,
      url: few[index % few.length]?.url ?? '',
      check: { interval: '2s', timeout: '1s' },
    }));
    await watchAll(tocsin, targets);
    await allUp(tocsin, 500);
    for (const observer of observers) {
      process.kill(observer.pid, 'SIGSTOP');
      await sleep(2_000);
      process.kill(observer.pid, 'SIGCONT');
      await sleep(4_000);
    }
    expect(await stored('io.tocsin.node.*')).toEqual([]);
    expect(await stored('io.tocsin.observer.isolated')).toEqual([]);
  });

  it('tell the death of a whole site once: its first member at once, then the site, and store every change', async () => {
    await start({ TOCSIN_PROBE_IN_FLIGHT_PER_PEER: String(SITE.perNode) });
    const site = await Promise.all(Array.from({ length: SITE.nodes }, () => FakeNode.start()));
    nodes.push(...site);
    const targets = site.flatMap(({ url }) => Array.from({ length: SITE.perNode }, () => url));
    const names = targets.map((_url, index) => `edge-${index}`);
    await watchAll(
      tocsin,
      targets.map((url, index) => ({
        ...{ name: `edge-${index}`, url, labels: { site: 'fra' }, check: { interval: '2s' } },
      })),
    );
    await allUp(tocsin, names.length);
    const diedAt = Date.now();
    await Promise.all(site.map((node) => node.down()));
    const [first] = await receiver.waitFor(1, 20_000);
    // Interval, two probes, two votes; not the five seconds for which the others are collected.
    const offline = first?.json as StoredEvent;
    expect(offline.type).toBe('io.tocsin.node.offline');
    expect(Date.parse(offline.recordedtime) - diedAt).toBeLessThan(5_000);
    // Asked for often, a thousand events are work for the machine on which all of this happens.
    await eventually(async () => (await stored('io.tocsin.node.offline')).length === names.length, {
      what: 'every change is stored',
      timeoutMs: 60_000,
      intervalMs: 1_000,
    });
    const [outage, ...more] = await stored('io.tocsin.group.outage');
    expect(more).toEqual([]);
    expect(outage?.subject).toBe('group/site=fra');
    const kept = (await stored('io.tocsin.node.offline')).filter(({ withheld }) => withheld !== undefined);
    expect(kept).toHaveLength(names.length - 1);
    await sleep(5_000);
    expect(told(receiver.requests)).toEqual([`offline ${offline.subject}`, 'io.tocsin.group.outage group/site=fra']);

    await Promise.all(site.map((node) => node.up()));
    await eventually(async () => (await stored('io.tocsin.node.online')).length === names.length, {
      what: 'every recovery is stored',
      timeoutMs: 60_000,
      intervalMs: 1_000,
    });
    await receiver.waitFor(4, 30_000);
    await sleep(5_000);
    expect(told(receiver.requests).slice(2).toSorted()).toEqual([
      'io.tocsin.group.recovered group/site=fra',
      `online ${offline.subject}`,
    ]);
  });

  it('tell of a dead parent, and not of what cannot be reached behind it', async () => {
    await start();
    const gateway = await FakeNode.start();
    nodes.push(gateway);
    await watchAll(tocsin, [{ name: 'gw-1', url: gateway.url }]);
    const { nodes: behind, names } = await fleet(9, { parent: 'gw-1', labels: { role: 'edge' } });
    await allUp(tocsin, 10);
    await Promise.all([gateway.down(), ...behind.map((node) => node.down())]);
    await eventually(async () => (await stored('io.tocsin.node.offline')).length === 10, {
      what: 'all changes are stored',
      timeoutMs: 30_000,
    });
    await Promise.all([gateway.up(), ...behind.map((node) => node.up())]);
    await eventually(async () => (await stored('io.tocsin.node.online')).length === 10, {
      what: 'all recoveries are stored',
      timeoutMs: 30_000,
    });
    await sleep(3_000);
    expect(told(receiver.requests)).toEqual(['offline node/gw-1', 'online node/gw-1']);
    const hidden = (await stored('io.tocsin.node.offline')).filter(({ withheld }) => withheld === 'unreachable');
    expect(hidden.map(({ subject }) => subject).toSorted()).toEqual(names.map((name) => `node/${name}`).toSorted());
  });

  it('tell once, at the end of a maintenance window, of an outage that began within it', async () => {
    await start();
    const { nodes: fleetNodes } = await fleet(2, { labels: { role: 'edge' } });
    const [stays, passes] = fleetNodes as [FakeNode, FakeNode];
    const endMs = Date.now() + 25_000;
    const { status } = await tocsin.call('PUT', '/v1/maintenance/deploy', {
      start: new Date(Date.now() - 60_000).toISOString(),
      end: new Date(endMs).toISOString(),
      selector: { role: 'edge' },
    });
    expect(status).toBe(201);
    await Promise.all([stays.down(), passes.down()]);
    await eventually(async () => (await stored('io.tocsin.node.offline')).length === 2, {
      what: 'both outages are stored',
      timeoutMs: 15_000,
    });
    const { body } = await tocsin.call('GET', '/v1/fleet?labels=role=edge');
    const held = { state: 'down', overlays: ['maintenance'], told: { state: 'up' } };
    expect(body.items).toMatchObject([
      { name: 'edge-0', ...held },
      { name: 'edge-1', ...held },
    ]);
    await passes.up();
    const first = await receiver.waitFor(({ json }) => (json as StoredEvent).type === 'io.tocsin.node.offline', 60_000);
    expect(Date.now()).toBeGreaterThanOrEqual(endMs);
    expect(first.json).toMatchObject({ subject: 'node/edge-0', reconciles: 'maintenance' });
    await receiver.waitFor(5, 20_000);
    await sleep(3_000);
    expect(told(receiver.requests).toSorted()).toEqual([
      ...['maintenance-ended node/edge-0', 'maintenance-ended node/edge-1'],
      ...['maintenance-started node/edge-0', 'maintenance-started node/edge-1'],
      'offline node/edge-0',
    ]);
    const kept = (await stored('io.tocsin.node.*')).filter(({ withheld }) => withheld === 'maintenance');
    expect(kept).toHaveLength(3);
  });
});
