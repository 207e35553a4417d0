import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toCloudEvent, TocsinError } from '@tocsin/domain';
import { testDatabase, type TestDatabase } from '@tocsin/testing';
import express from 'express';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventReceiver } from './event-receiver.js';
import { httpHandler } from './http-handler.js';
import { MemoryInbox } from './inbox.js';
import { PostgresInbox } from './postgres-inbox.js';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** Serves on a port of its own. @returns its URL */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/tocsin`;
}

/** A request as Tocsin makes it. */
function post(url: string, position = 1, text = 'down'): Promise<Response> {
  const at = new Date().toISOString();
  const known = {
    id: `evt_${position}`,
    source: 'tocsin/health-probe',
    type: 'io.tocsin.node.offline',
    subject: 'node/a',
  };
  const event = { ...known, time: at, recordedAt: at, position, version: position, extensions: {}, data: { text } };
  const body = JSON.stringify(toCloudEvent(event));
  const seconds = Math.floor(Date.now() / 1_000);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${event.id}.${seconds}.${body}`).digest('base64');
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': event.id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': `v1,${signature}`,
    },
    body,
  });
}

/** A receiver that takes all and remembers nothing for long. */
function taking(onEvent: () => Promise<void> = async () => undefined, maxBytes = 100_000) {
  return new EventReceiver({ secrets: [secret], inbox: new MemoryInbox(), maxBytes, onEvent });
}

describe('httpHandler', () => {
  const apps: [string, (app: express.Express) => void][] = [
    ['no parser', () => undefined],
    ['express.raw', (app) => app.use(express.raw({ type: '*/*' }))],
    ['express.text', (app) => app.use(express.text({ type: '*/*' }))],
    ['express.json, which leaves this content type alone', (app) => app.use(express.json())],
    [
      'a parser that keeps the bytes as rawBody',
      (app) =>
        app.use(
          express.json({
            type: '*/*',
            verify: (request, _response, bytes) => Object.assign(request, { rawBody: bytes }),
          }),
        ),
    ],
  ];
  it.each(apps)('takes deliveries in Express behind %s', async (_name, prepare) => {
    const app = express();
    prepare(app);
    app.post('/tocsin', httpHandler(taking()));
    expect((await post(await serve(app), 1, 'Zürich ☎')).status).toBe(204);
  });

  it('says what is wrong where a parser has taken the signed bytes, by a status that loses nothing', async () => {
    const app = express();
    app.use(express.json({ type: '*/*' }));
    app.post('/tocsin', httpHandler(taking()));
    const answer = await post(await serve(app));
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({
      title: 'body-consumed',
      detail: expect.stringContaining('express.raw'),
    });
  });

  it('answers what is no delivery, and what is too large, with a status of its own', async () => {
    const url = await serve(httpHandler(taking(undefined, 1_000)));
    const got = await fetch(url);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(400);
    const large = await post(url, 1, 'x'.repeat(5_000));
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ title: 'too-large', detail: 'the body is larger than 1000 bytes' });
    expect((await post(url)).status).toBe(204);
  });

  it('asks to be tried again where a handler fails, when the handler says, and tells nobody else why', async () => {
    const errors: unknown[] = [];
    let error: Error = new Error('relation "outage" is locked');
    const receiver = taking(() => Promise.reject(error));
    const url = await serve(httpHandler(receiver, { onError: (thrown) => errors.push(thrown) }));
    const failed = await post(url);
    expect(failed.status).toBe(500);
    expect(await failed.text()).not.toContain('outage');
    error = new TocsinError('TCN_OVERLOADED', 'not now', { retryAfterMs: 1_500 });
    const later = await post(url);
    expect([later.status, later.headers.get('retry-after')]).toEqual([503, '2']);
    expect(errors).toHaveLength(2);
  });
});

describe('PostgresInbox', () => {
  let own: TestDatabase;
  let pool: pg.Pool;
  let inbox: PostgresInbox<pg.PoolClient>;

  beforeAll(async () => {
    own = await testDatabase();
    pool = new pg.Pool({ connectionString: own.url, max: 8 });
    // The database is dropped while the pool is being closed.
    pool.on('error', () => undefined);
    inbox = new PostgresInbox(pool);
    await inbox.createTables();
    await inbox.createTables();
    await pool.query('CREATE TABLE work (position int)');
  });

  afterAll(async () => {
    await pool.end();
  });

  function receiver(onEvent?: () => Promise<void>) {
    return new EventReceiver({
      secrets: [secret],
      inbox,
      newestOnly: true,
      onEvent: async (event, { transaction }) => {
        await transaction.query('INSERT INTO work VALUES ($1)', [event.position]);
        await onEvent?.();
      },
    });
  }
  const worked = async () =>
    (await pool.query('SELECT position FROM work ORDER BY 1')).rows.map(({ position }) => position);

  it('makes the work and the memory of it one: all of it, or nothing', async () => {
    let broken = true;
    const url = await serve(
      httpHandler(
        receiver(async () => {
          if (broken) throw new Error('after the work, before the commit');
        }),
      ),
    );
    expect((await post(url, 5)).status).toBe(500);
    expect(await worked()).toEqual([]);
    broken = false;
    expect((await post(url, 5)).status).toBe(204);
    expect((await post(url, 5)).status).toBe(204);
    expect((await post(url, 4)).status).toBe(204);
    expect(await worked()).toEqual([5]);
  });

  it('handles an event once where two processes get it at the same time', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = await serve(httpHandler(receiver(() => gate.promise)));
    const other = await serve(httpHandler(receiver()));
    const first = post(slow, 9);
    const waiting = async () =>
      (await pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`))
        .rowCount;
    await expect
      .poll(
        async () =>
          (
            await pool.query('SELECT FROM pg_locks WHERE locktype = $1 AND relation = $2::regclass', [
              'relation',
              'work',
            ])
          ).rowCount,
      )
      .toBeGreaterThan(0);
    const second = post(other, 9);
    await expect.poll(waiting).toBe(1);
    gate.resolve();
    expect([(await first).status, (await second).status]).toEqual([204, 204]);
    expect((await worked()).filter((position) => position === 9)).toEqual([9]);
  });

  it('forgets what came long ago', async () => {
    await pool.query(`INSERT INTO tocsin_inbox VALUES ('evt_old', now() - interval '31 days')`);
    expect(await inbox.forget()).toBe(1);
    expect((await pool.query('SELECT FROM tocsin_inbox')).rowCount).toBeGreaterThan(0);
  });
});
