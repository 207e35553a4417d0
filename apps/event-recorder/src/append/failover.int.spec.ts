import { randomUUID } from 'node:crypto';
import { isTocsinError } from '@tocsin/domain';
import { appendAll, Broker } from '@tocsin/jetstream';
import { Database } from '@tocsin/postgres';
import { TcpProxy } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  bodyOf,
  call,
  eventually,
  post,
  type Servers,
  type SpawnedRecorder,
  spawnRecorder,
  startServers,
} from '../recorder.harness.js';

/** What the design allows. */
const FAILOVER_MS = 2_000;

let servers: Servers;
let database: Database;
const running: SpawnedRecorder[] = [];

beforeAll(async () => {
  servers = await startServers();
  database = await Database.open({
    schema: 'spec',
    migrations: [],
    url: servers.postgres.url,
    applicationName: 'spec',
  });
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((recorder) => recorder.kill9()));
});

afterAll(async () => {
  await database?.close();
  await servers?.stop();
});

async function spawned(more: Record<string, string> = {}): Promise<SpawnedRecorder> {
  const recorder = await spawnRecorder(servers, more);
  running.push(recorder);
  return recorder;
}

/** Producers that never stop; an event counts as acknowledged when it was answered with 201 or 200. */
function load(urls: string[], producers: number) {
  const acknowledged = new Map<string, number>();
  const acknowledgedAtMs: number[] = [];
  let stopping = false;
  const produce = async (url: string): Promise<void> => {
    while (!stopping) {
      const id = randomUUID();
      try {
        const event = { specversion: '1.0', id, source: 'urn:load', type: 'com.acme.load', subject: `load/${url}` };
        const response = await post(url, event);
        const body = await bodyOf(response);
        if (!response.ok) continue;
        acknowledged.set(id, body.events[0]!.position);
        acknowledgedAtMs.push(performance.now());
      } catch {
        // The process behind this address was killed.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  const done = Promise.all(Array.from({ length: producers }, (_, index) => produce(urls[index % urls.length]!)));
  return {
    acknowledged,
    acknowledgedAtMs,
    stop: async () => {
      stopping = true;
      await done;
    },
  };
}

/** Everything in the log, read through `url`. */
async function readAll(url: string): Promise<{ id: string; position: number }[]> {
  const events: { id: string; position: number }[] = [];
  for (let after = 0; ;) {
    const page = await bodyOf(await call(url, `/v1/events?after=${after}&limit=1000`));
    if (page.events.length === 0) return events;
    events.push(...page.events);
    after = page.next;
  }
}

function expectNothingLost(all: { id: string; position: number }[], acknowledged: Map<string, number>): void {
  expect(all.map(({ position }) => position)).toEqual(all.map((_, index) => index + 1));
  const byId = new Map(all.map(({ id, position }) => [id, position]));
  expect(byId.size).toBe(all.length);
  const lost = [...acknowledged].filter(([id, position]) => byId.get(id) !== position);
  expect(lost).toEqual([]);
}

const epoch = async (): Promise<number> =>
  (await database.query<{ epoch: number }>('SELECT epoch FROM log.head'))[0]!.epoch;

describe('failover', () => {
  it('a standby takes over within 2 s after kill -9 of the leader under load; nothing acknowledged is lost', async () => {
    const leader = await spawned();
    const standby = await spawned();
    const before = await epoch();
    const producers = load([leader.url, standby.url], 32);
    await eventually(() => producers.acknowledged.size > 500);
    const killedMs = performance.now();
    await leader.kill9();
    await eventually(() => producers.acknowledgedAtMs.some((atMs) => atMs > killedMs + 100), 10_000);
    const firstAfter = producers.acknowledgedAtMs.find((atMs) => atMs > killedMs + 100)!;
    const count = producers.acknowledged.size;
    await eventually(() => producers.acknowledged.size > count + 500);
    await producers.stop();
    expect(await epoch()).toBe(before + 1);
    expect(firstAfter - killedMs).toBeLessThan(FAILOVER_MS);
    expectNothingLost(await readAll(standby.url), producers.acknowledged);
  });

  it('the lead changes within 2 s when the connection of the lock dies, and no event is lost or doubled', async () => {
    const one = await spawned();
    const other = await spawned();
    const before = await epoch();
    const producers = load([one.url, other.url], 16);
    await eventually(() => producers.acknowledged.size > 200);
    const cutMs = performance.now();
    const cut = await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tocsin event-recorder leader'`,
    );
    expect(cut.length).toBeGreaterThan(0);
    await eventually(async () => (await epoch()) > before, 10_000);
    expect(performance.now() - cutMs).toBeLessThan(FAILOVER_MS);
    const count = producers.acknowledged.size;
    await eventually(() => producers.acknowledged.size > count + 200);
    await producers.stop();
    expectNothingLost(await readAll(one.url), producers.acknowledged);
  });

  it('the lead changes within 2 s when the leader stands still, and what it does when it wakes up harms nothing', async () => {
    const leader = await spawned();
    const standby = await spawned();
    const before = await epoch();
    const producers = load([standby.url], 16);
    await eventually(() => producers.acknowledged.size > 200);
    const stoppedMs = performance.now();
    leader.process.kill('SIGSTOP');
    await eventually(async () => (await epoch()) > before, 10_000);
    expect(performance.now() - stoppedMs).toBeLessThan(FAILOVER_MS);
    leader.process.kill('SIGCONT');
    const count = producers.acknowledged.size;
    await eventually(() => producers.acknowledged.size > count + 200);
    await producers.stop();
    expect(await epoch()).toBe(before + 1);
    expectNothingLost(await readAll(standby.url), producers.acknowledged);
  });

  it('the lead changes within 2 s when the lines between leader and Postgres swallow everything', async () => {
    const line = await TcpProxy.start({ targetPort: servers.postgres.port });
    try {
      await spawned({ TOCSIN_POSTGRES_URL: line.through(servers.postgres.url) });
      const standby = await spawned();
      const before = await epoch();
      const producers = load([standby.url], 16);
      await eventually(() => producers.acknowledged.size > 200);
      const stalledMs = performance.now();
      line.stall();
      await eventually(async () => (await epoch()) > before, 10_000);
      expect(performance.now() - stalledMs).toBeLessThan(FAILOVER_MS);
      const count = producers.acknowledged.size;
      await eventually(() => producers.acknowledged.size > count + 200);
      await producers.stop();
      expectNothingLost(await readAll(standby.url), producers.acknowledged);
    } finally {
      await line.close();
    }
  });

  it('a leader killed while it commits an append of many parts is missed in seconds, and the repeat records nothing twice', async () => {
    const leader = await spawned();
    await spawned();
    const broker = await Broker.connect({ servers: servers.nats.url, name: 'spec' });
    const time = new Date().toISOString();
    const events = Array.from({ length: 20_000 }, (_, n) => ({
      ...{ id: `large-${n}`, source: 'urn:large', type: 'com.acme.large', subject: `large/${n}`, time },
    }));
    const appended = () =>
      appendAll(broker, { events }).then(
        () => 'appended',
        (error: unknown) => (isTocsinError(error) && error.retryable ? 'to be repeated' : error),
      );
    try {
      const first = appended();
      await eventually(async () => {
        const active = `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%log.append%' AND pid <> pg_backend_pid()`;
        return (await database.query(active)).length > 0;
      });
      const killedMs = performance.now();
      await leader.kill9();
      expect(['appended', 'to be repeated']).toContain(await first);
      expect(performance.now() - killedMs).toBeLessThan(10_000);
      await eventually(async () => (await appended()) === 'appended');
      const [count] = await database.query(
        `SELECT count(*) AS events, count(DISTINCT id) AS ids FROM log.event WHERE source = 'urn:large'`,
      );
      expect(count).toEqual({ events: events.length, ids: events.length });
    } finally {
      await broker.close();
    }
  });

  it('a leader that is cut off from NATS leaves the log to a standby that is not', async () => {
    const line = await TcpProxy.start({ targetPort: servers.nats.port });
    try {
      const cutOff = await spawned({ TOCSIN_NATS_URL: line.through(servers.nats.url) });
      const standby = await spawned();
      const before = await epoch();
      await line.refuse();
      // The standby has nobody to pass an append on to, until it leads itself.
      await eventually(async () => {
        const event = { specversion: '1.0', id: randomUUID(), source: 'urn:cut', type: 'com.acme.cut' };
        return (await post(standby.url, event)).ok;
      });
      expect(await epoch()).toBe(before + 1);
      expect(cutOff.output()).toContain('NATS is out of reach here');
      // It stays so: the one without NATS does not stand for election again.
      await new Promise((passed) => setTimeout(passed, 3_000));
      expect(await epoch()).toBe(before + 1);
    } finally {
      await line.close();
    }
  });
});
