import { freePort, type NatsServer, startNats } from '@tocsin/embedded';
import { Broker, EventDurables, RelayPublisher } from '@tocsin/jetstream';
import { eventually, testFolder } from '@tocsin/testing';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DurableLease } from './durable-lease.js';

const LEASE_MS = 2_000;
const NAMES = ['n1', 'n2', 'n3'];

const servers = new Map<string, NatsServer>();
const brokers: Broker[] = [];
const ending = new AbortController();
let relay: RelayPublisher;

beforeAll(async () => {
  const folder = await testFolder();
  const routes = await Promise.all(NAMES.map(() => freePort()));
  await Promise.all(
    NAMES.map(async (name, index) => {
      const cluster = {
        name: 'spec',
        listen: `127.0.0.1:${routes[index] ?? 0}`,
        routes: routes.map((port) => `nats://127.0.0.1:${port}`),
      };
      const authorization = { user: 'team', password: 'team' };
      const config = { server_name: name, authorization, cluster };
      servers.set(name, await startNats({ dataDir: join(folder, name), config }));
    }),
  );
  const urls = [...servers.values()].map(({ port }) => `nats://team:team@127.0.0.1:${port}`).join(',');
  const connect = (name: string) => Broker.connect({ servers: urls, name, connectTimeoutMs: 60_000 });
  brokers.push(await connect('one'), await connect('other'), await connect('relay'));
  relay = new RelayPublisher({
    broker: brokers[2]!,
    read: () => Promise.resolve([]),
    head: () => Promise.resolve(0),
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
    random: Math.random,
    stream: { replicas: 3 },
  });
  relay.start();
  await eventually(() => relay.status().state === 'relaying', { what: 'there is a stream', timeoutMs: 60_000 });
});

afterAll(async () => {
  ending.abort();
  await relay?.stop();
  await Promise.all(brokers.map((broker) => broker.close()));
  await Promise.all([...servers.values()].map((server) => server.stop()));
});

/** Asks for the lease by one of the connections. */
function ask(which: number, onStandby: () => void = () => undefined): Promise<DurableLease | undefined> {
  const broker = brokers[which]!;
  const durables = new EventDurables(broker);
  const onError = (): void => undefined;
  const { signal } = ending;
  return DurableLease.take({ broker, durables, durable: 'team', leaseMs: LEASE_MS, onStandby, onError, signal });
}

/** Name of the server that leads the bucket of leases, as the servers' own monitoring tells it, and in how many copies it is kept. */
async function bucketNow(): Promise<{ leader: string; copies: number }> {
  const [server] = servers.values();
  const response = await fetch(`${server?.monitorUrl ?? ''}/jsz?accounts=true&streams=true`);
  const report = (await response.json()) as Report;
  const streams = (report.account_details ?? []).flatMap(({ stream_detail: details = [] }) => details);
  const bucket = streams.find(({ name }) => name === 'KV_tocsin_consumers');
  return { leader: bucket?.cluster?.leader ?? '', copies: 1 + (bucket?.cluster?.replicas?.length ?? 0) };
}

interface Report {
  account_details?: { stream_detail?: { name: string; cluster?: { leader?: string; replicas?: unknown[] } }[] }[];
}

describe('a lease in a cluster of three', () => {
  it('is never certain for two at once while the server that leads its bucket is killed, and goes to the next one when it ends', async () => {
    const held = (await ask(0))!;
    let standsBy = false;
    let taken: DurableLease | undefined;
    const waiting = ask(1, () => (standsBy = true)).then((lease) => (taken = lease));
    await eventually(() => standsBy, { what: 'the other stands by' });
    const { leader, copies } = await bucketNow();
    expect(copies).toBe(3);

    let doubted = 0;
    let both = 0;
    const watch = setInterval(() => {
      const certain = [held, taken].filter((lease) => lease?.isCertain() === true).length;
      if (certain === 0) doubted += 1;
      if (certain === 2) both += 1;
    }, 1);
    servers.get(leader)?.kill9();
    // An election takes longer than the lease lasts.
    await eventually(() => doubted > 0, { what: 'the holder is in doubt', timeoutMs: 20_000 });
    await eventually(() => held.isCertain() || taken?.isCertain() === true, {
      what: 'somebody is certain again',
      timeoutMs: 30_000,
    });
    await held.release();
    expect((await waiting)?.isCertain()).toBe(true);
    clearInterval(watch);
    expect(both).toBe(0);
    await taken?.release();
  }, 90_000);
});
