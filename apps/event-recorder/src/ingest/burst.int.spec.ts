import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodyOf, call, type Servers, type SpawnedRecorder, spawnRecorder, startServers } from '../recorder.harness.js';

const PRODUCERS = 1_000;
const EVENTS_EACH = 100;
/** Seconds; below what costs the lead, and what a machine that is busy with other specs adds is in it. */
const MAX_LAG_S = 0.8;

let servers: Servers;
let recorder: SpawnedRecorder;
let database: Database;

beforeAll(async () => {
  servers = await startServers();
  // All of it is to be worked on, not refused.
  recorder = await spawnRecorder(servers, {
    TOCSIN_APPEND_MAX_WAITING: String(PRODUCERS * EVENTS_EACH),
    TOCSIN_APPEND_MAX_WAITING_BYTES: String(256 * 1024 ** 2),
  });
  database = await Database.open({
    schema: 'spec',
    migrations: [],
    url: servers.postgres.url,
    applicationName: 'spec',
  });
});

afterAll(async () => {
  await database?.close();
  await recorder?.kill9();
  await servers?.stop();
});

/** How late timers of the recorder fired since this was last asked, seconds. */
async function lagSeconds(): Promise<number> {
  const metrics = await (await fetch(`${recorder.url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_p99_seconds\S* (\S+)/m.exec(metrics)?.[1]);
}

/** The worst of {@link lagSeconds} until `work` is done, asked often, so that one late timer is not lost among those in time. */
async function worstLagSeconds(work: Promise<void>): Promise<number> {
  await lagSeconds();
  let worst = 0;
  for (let running = true; running;) {
    running = await Promise.race([work.then(() => false), delay(500, true)]);
    worst = Math.max(worst, await lagSeconds());
  }
  return worst;
}

/** A request that is ready to be sent. */
const request = (): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/cloudevents-batch+json' },
  body: JSON.stringify(
    Array.from({ length: EVENTS_EACH }, () => {
      const id = randomUUID();
      return {
        ...{ specversion: '1.0', id, source: 'urn:burst', type: 'com.acme.burst', subject: `burst/${id}` },
        data: { from: 'up', to: 'down', evidence: [{ observer: 'one', phase: 'connect', text: 'x'.repeat(200) }] },
      };
    }),
  ),
});

it('hundreds of large batches at once do not hold up the event loop, nor cost the lead', async () => {
  const requests = Array.from({ length: PRODUCERS }, request);
  const statuses: number[] = [];
  const positions: number[] = [];
  const posted = requests.map(async (each) => {
    const response = await call(recorder.url, '/v1/events', each);
    statuses.push(response.status);
    positions.push(...(await bodyOf(response)).events.map(({ position }) => position));
  });
  expect(await worstLagSeconds(Promise.all(posted).then(() => undefined))).toBeLessThan(MAX_LAG_S);
  // None was answered as a repeat: the recorder had not to send anything again to another leader.
  expect(new Set(statuses)).toEqual(new Set([201]));
  expect(positions.toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: PRODUCERS * EVENTS_EACH }, (_, index) => index + 1),
  );
  expect(await database.query('SELECT epoch FROM log.head')).toEqual([{ epoch: 1 }]);
});
