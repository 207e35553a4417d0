import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type NatsServer, startNats } from '@tocsin/embedded';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Load, LogInstallation, longestSilenceMs, randomPause, type Recorder } from './log.harness.js';

let log: LogInstallation;
let recorders: Recorder[];

beforeEach(async () => {
  log = await LogInstallation.start();
});

afterEach(() => log.stop());

/** Producers at the leader alone: it needs no broker to record. */
async function loadAtLeader(): Promise<Load> {
  recorders = [await log.recorder()];
  return log.load(() => recorders, 16);
}

/** NATS dies, `meanwhile` happens to its store, and it comes back; recording must not have paused. */
async function withoutNats(
  producers: Load,
  meanwhile: () => Promise<void>,
  how: 'kill' | 'stop' = 'kill',
): Promise<void> {
  const { port } = log.nats;
  const downMs = performance.now();
  if (how === 'kill') log.nats.kill9();
  else await log.nats.stop();
  await log.nats.exited;
  await meanwhile();
  await producers.progress(200);
  await randomPause(0, 500);
  log.nats = await startNats({ dataDir: log.natsFolder, port });
  await producers.progress(200);
  expect(longestSilenceMs(producers, downMs)).toBeLessThan(1_500);
}

const store = (): string => join(log.natsFolder, 'jetstream');

describe('the broker under the log', () => {
  it('killed with -9, twice under load: recording does not pause, the stream catches up', async () => {
    const producers = await loadAtLeader();
    for (let round = 0; round < 2; round += 1) {
      await producers.progress(200);
      await randomPause(0, 500);
      await withoutNats(producers, async () => undefined);
    }
    await producers.stop();
    await log.check(recorders[0]!);
  });

  it('its store wiped, twice under load: the stream is made anew, sequence is position again', async () => {
    const producers = await loadAtLeader();
    for (let round = 0; round < 2; round += 1) {
      await producers.progress(200);
      await randomPause(0, 500);
      await withoutNats(producers, () => rm(store(), { recursive: true, force: true }));
    }
    await producers.stop();
    await log.check(recorders[0]!);
  });

  it('its store rolled back to an older copy under load: the relay continues from there', async () => {
    const producers = await loadAtLeader();
    const copy = join(log.folder, 'older-copy');
    await producers.progress(200);
    await withoutNats(producers, () => cp(store(), copy, { recursive: true }), 'stop');
    await producers.progress(300);
    await withoutNats(producers, async () => {
      await rm(store(), { recursive: true, force: true });
      await cp(copy, store(), { recursive: true });
    });
    await producers.stop();
    await log.check(recorders[0]!);
  });

  it('a cluster of three (R3) that loses the leader of the stream, twice under load', async () => {
    const cluster = await startCluster();
    const url = cluster.map(({ port }) => `nats://${USER}:${PASSWORD}@127.0.0.1:${port}`).join(',');
    try {
      const env = { TOCSIN_NATS_URL: url, TOCSIN_RELAY_REPLICAS: '3' };
      recorders = [await log.recorder(env), await log.recorder(env)];
      const producers = log.load(() => recorders, 16);
      for (let round = 0; round < 2; round += 1) {
        await producers.progress(300);
        await randomPause(0, 500);
        const index = await streamLeader(cluster);
        const { port } = cluster[index]!;
        cluster[index]!.kill9();
        await cluster[index]!.exited;
        await producers.progress(300);
        cluster[index] = await startNode(index, port, cluster.ports);
        await producers.progress(100);
      }
      await producers.stop();
      await log.check(recorders[0]!, url);
    } finally {
      await log.processes.kill9();
      await Promise.all(cluster.map((server) => server.stop()));
    }
  });
});

type Cluster = NatsServer[] & { ports: number[] };

const NODES = 3;
const USER = 'tocsin';
const PASSWORD = 'cluster';

async function startCluster(): Promise<Cluster> {
  const ports = await Promise.all(Array.from({ length: NODES }, () => freePort()));
  const servers = await Promise.all(ports.map((_, index) => startNode(index, undefined, ports)));
  return Object.assign(servers, { ports });
}

/** @param clusterPorts ports of the routes between the nodes */
function startNode(index: number, port: number | undefined, clusterPorts: readonly number[]): Promise<NatsServer> {
  return startNats({
    dataDir: join(log.folder, `node-${index}`),
    ...(port === undefined ? {} : { port }),
    config: {
      server_name: `node-${index}`,
      authorization: { user: USER, password: PASSWORD },
      cluster: {
        name: 'chaos',
        listen: `127.0.0.1:${clusterPorts[index]}`,
        routes: clusterPorts.map((each) => `nats://127.0.0.1:${each}`),
      },
    },
  });
}

interface Report {
  account_details?: { stream_detail?: { name: string; cluster?: { leader?: string } }[] }[];
}

/** Index of the node that leads the stream EVENTS, as the first node that knows tells it. */
async function streamLeader(cluster: readonly NatsServer[]): Promise<number> {
  for (const server of cluster) {
    const response = await fetch(`${server.monitorUrl}/jsz?streams=true&accounts=true`);
    const { account_details: accounts = [] } = (await response.json()) as Report;
    const stream = accounts.flatMap((each) => each.stream_detail ?? []).find(({ name }) => name === 'EVENTS');
    const leader = stream?.cluster?.leader;
    if (leader !== undefined) return Number(leader.slice('node-'.length));
  }
  throw new Error('no node knows the leader of the stream');
}
