import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { appendReplySchema, RPC } from '@tocsin/contracts';
import { isTocsinError } from '@tocsin/domain';
import { Broker } from '@tocsin/jetstream';
import { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

let servers: Servers;
let recorder: SpawnedRecorder;

beforeAll(async () => {
  servers = await startServers();
  recorder = await spawnRecorder(servers, {
    TOCSIN_APPEND_MAX_WAITING: '1000',
    TOCSIN_APPEND_MAX_WAITING_BYTES: String(8 * 1024 * 1024),
  });
});

afterAll(async () => {
  await recorder?.kill9();
  await servers?.stop();
});

/** Resident memory of the recorder in MiB. */
async function residentMiB(): Promise<number> {
  const status = await readFile(`/proc/${recorder.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** Highest memory seen while `work` runs. */
async function peakMiB(work: Promise<unknown>): Promise<number> {
  let peak = 0;
  let running = true;
  const watch = (async () => {
    while (running) {
      peak = Math.max(peak, await residentMiB());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  try {
    await work;
  } finally {
    running = false;
    await watch;
  }
  return peak;
}

const event = (bytes: number) => ({
  id: randomUUID(),
  source: 'urn:overload',
  type: 'com.acme.overload',
  data: 'x'.repeat(bytes),
});

async function recordedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let after = 0; ;) {
    const page = await bodyOf(await call(recorder.url, `/v1/events?after=${after}&limit=1000`));
    if (page.events.length === 0) return ids;
    for (const { id } of page.events) ids.add(id);
    after = page.next;
  }
}

describe('overload', () => {
  it.each([
    ['a message each', false],
    ['sharing messages', true],
  ])('10,000 appends at once over NATS, %s: memory stays bounded, each is recorded or refused', async (_, bundled) => {
    const broker = await Broker.connect({ servers: servers.nats.url, name: 'producers' });
    const before = await residentMiB();
    const accepted: string[] = [];
    let refused = 0;
    const appends = Array.from({ length: 10_000 }, async () => {
      // All of it stays below the 64 MB that nats-server keeps for one reader: beyond, it closes the recorder's connection.
      const sent = event(5_000);
      const request = { events: [{ ...sent, subject: sent.id, time: new Date().toISOString() }] };
      try {
        await broker.request(RPC.logAppend, request, { timeoutMs: 30_000, schema: appendReplySchema, bundled });
        accepted.push(sent.id);
      } catch (error) {
        if (!isTocsinError(error, 'TCN_OVERLOADED')) throw error;
        expect(error.retryAfterMs).toBeGreaterThan(0);
        refused += 1;
      }
    });
    const peak = await peakMiB(Promise.all(appends));
    await broker.close();
    expect(accepted.length + refused).toBe(10_000);
    expect(refused).toBeGreaterThan(0);
    expect(accepted.length).toBeGreaterThan(500);
    const recorded = await recordedIds();
    expect(accepted.filter((id) => !recorded.has(id))).toEqual([]);
    // 50 MB were sent; what may wait is 5 MB. The rest is what has arrived and what V8 has not collected yet, and varies from run to run.
    expect(peak - before).toBeLessThan(300);
  });

  it('many large bodies at once over HTTP: refused before they are read, with Retry-After; the rest is recorded', async () => {
    const before = await residentMiB();
    const statuses = new Map<number, number>();
    const accepted: string[] = [];
    const posts = Array.from({ length: 300 }, async () => {
      const batch = Array.from({ length: 3 }, () => ({ specversion: '1.0', ...event(250_000) }));
      const response = await post(recorder.url, batch);
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      const answer = await bodyOf(response);
      if (response.status === 429) {
        expect(answer.code).toBe('TCN_OVERLOADED');
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      } else {
        expect(answer).toHaveProperty('events');
        accepted.push(...answer.events.map(({ id }) => id));
      }
    });
    const peak = await peakMiB(Promise.all(posts));
    expect(new Set(statuses.keys())).toEqual(new Set([201, 429]));
    const recorded = await recordedIds();
    expect(accepted.filter((id) => !recorded.has(id))).toEqual([]);
    // 225 MB were sent; 8 MiB may be in hand.
    expect(peak - before).toBeLessThan(300);
    expect((await post(recorder.url, { specversion: '1.0', ...event(1) })).status).toBe(201);
  });

  it('more slow readers than there are connections: an append has its own', async () => {
    expect((await post(recorder.url, { specversion: '1.0', ...event(1) })).status).toBe(201);
    const admin = await Database.open({
      url: servers.postgres.url,
      applicationName: 'spec',
      schema: 'log',
      migrations: [],
    });
    const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
    let reads: Promise<Response>[] = [];
    await admin.transaction(async (holding) => {
      // Reads by type look into this table, appends only where a type is new to the leader.
      await holding.query('LOCK TABLE log.known_type IN ACCESS EXCLUSIVE MODE');
      reads = Array.from({ length: 20 }, () => call(recorder.url, '/v1/events?type=com.acme.overload&limit=1'));
      await eventually(async () => ((await admin.query<{ count: number }>(waiting))[0]?.count ?? 0) >= 10);
      const response = await post(recorder.url, { specversion: '1.0', ...event(1) });
      expect(response.status).toBe(201);
    });
    expect((await Promise.all(reads)).map(({ status }) => status)).toEqual(reads.map(() => 200));
    await admin.close();
  });
});
