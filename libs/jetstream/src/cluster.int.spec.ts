import { JETSTREAM } from '@tocsin/contracts';
import { freePort, startNats, type NatsServer } from '@tocsin/embedded';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker } from './broker.js';
import { followLog } from './follow-log.js';
import { linkOf } from './link-registry.js';
import { RelayPublisher } from './relay-publisher.js';
import { eventually, FakeLog, storedIn } from './jetstream.harness.js';

const STREAM = JETSTREAM.eventsStream;
const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

let folder: string;
const servers = new Map<string, NatsServer>();
const configs = new Map<string, () => Promise<NatsServer>>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-cluster-'));
  const names = ['n1', 'n2', 'n3'];
  const routePorts = await Promise.all(names.map(() => freePort()));
  const ports = await Promise.all(names.map(() => freePort()));
  const routes = routePorts.map((port) => `nats://127.0.0.1:${port}`);
  for (const [index, name] of names.entries()) {
    configs.set(name, () =>
      startNats({
        dataDir: join(folder, name),
        port: ports[index] ?? 0,
        config: {
          server_name: name,
          authorization: { user: 'tocsin', password: 'cluster' },
          cluster: { name: 'spec', listen: `127.0.0.1:${routePorts[index] ?? 0}`, routes },
        },
      }),
    );
  }
  await Promise.all(names.map(restart));
  // JetStream answers nobody before the servers have elected a leader, which takes long on a busy machine.
  const broker = await Broker.connect({ servers: urlsOf('tocsin:cluster'), name: 'spec', connectTimeoutMs: 60_000 });
  await broker.close();
});

afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** Name of the server that leads the stream; asked again where an election makes it wait. */
async function leaderOf(broker: Broker): Promise<string> {
  let leader: string | undefined;
  await eventually(
    'the stream has a leader',
    async () => {
      const info = await linkOf(broker)
        .manager.streams.info(STREAM)
        .catch(() => undefined);
      leader = info?.cluster?.leader;
      return leader !== undefined && leader !== '';
    },
    60_000,
  );
  return leader ?? '';
}

async function restart(name: string): Promise<void> {
  const server = await configs.get(name)?.();
  if (server !== undefined) servers.set(name, server);
}

const urlsOf = (credentials: string): string =>
  [...servers.values()].map((server) => `nats://${credentials}@127.0.0.1:${server.port}`).join(',');

describe('a cluster', () => {
  it.each([['all of its servers'], ['one of its servers, which names the others']])(
    'that refuses the credentials is told from one that is not there, given %s',
    async (which) => {
      const urls = urlsOf('tocsin:wrong');
      const given = which.startsWith('all') ? urls : (urls.split(',')[0] ?? '');
      const startMs = performance.now();
      await expect(Broker.connect({ servers: given, name: 'spec' })).rejects.toMatchObject({
        code: 'TCN_CONFIG',
        message: expect.stringMatching(/refuses these credentials$/),
      });
      expect(performance.now() - startMs).toBeLessThan(5_000);
    },
    15_000,
  );

  it('is found by one of its servers, though others that are named do not answer', async () => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const one = urlsOf('tocsin:cluster').split(',')[0] ?? '';
    const given = `nats://127.0.0.1:${await freePort()},nats://127.0.0.1:${port},${one}`;
    const broker = await Broker.connect({ servers: given, name: 'spec' });
    expect(broker.connected()).toBe(true);
    await broker.close();
    silent.close();
  }, 15_000);

  it('that does not answer is given up within the time there is, however many servers are named', async () => {
    const silent = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        return server;
      }),
    );
    const given = silent.map((server) => `nats://127.0.0.1:${(server.address() as AddressInfo).port}`).join(',');
    const startMs = performance.now();
    await expect(Broker.connect({ servers: given, name: 'spec', connectTimeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'TCN_NATS_UNREACHABLE',
    });
    expect(performance.now() - startMs).toBeLessThan(4_000);
    for (const server of silent) server.close();
  }, 15_000);
});

describe('three servers, three copies', () => {
  it('keeps sequence equal to position, and followers exact, while the stream’s leader is killed twice', async () => {
    const broker = await Broker.connect({ servers: urlsOf('tocsin:cluster'), name: 'spec', connectTimeoutMs: 20_000 });
    const log = new FakeLog();
    log.append(10_000);
    const relay = new RelayPublisher({
      broker,
      read: log.read,
      head: log.head,
      clock,
      random: Math.random,
      stream: { replicas: 3 },
    });
    const positions: number[] = [];
    const abort = new AbortController();
    const following = followLog(broker, {
      after: 0,
      read: log.page,
      onEvents: (events) => {
        for (const event of events) positions.push(event.position);
        return Promise.resolve();
      },
      signal: abort.signal,
    });
    relay.start();
    for (const position of [3_000, 12_000]) {
      await eventually(`relayed ${position}`, () => relay.status().position >= position, 60_000);
      const leader = await leaderOf(broker);
      const server = servers.get(leader);
      server?.kill9();
      log.append(5_000);
      relay.notify(log.events.length);
      await server?.exited;
      await restart(leader);
    }
    await eventually('all relayed', () => relay.status().position === 20_000, 120_000);
    await eventually('all followed', () => positions.length >= 20_000, 60_000);
    expect(positions).toEqual(log.events.map((event) => event.position));
    const stored = await storedIn(broker, STREAM, 1, 20_000);
    expect(stored.map((message) => message.seq)).toEqual(positions);
    expect(stored.every((message) => message.json<{ position: number }>().position === message.seq)).toBe(true);
    abort.abort();
    await following;
    await relay.stop();
    await broker.close();
  }, 240_000);
});
