import { RPC } from '@tocsin/contracts';
import type { JsonObject } from '@tocsin/domain';
import { freePort } from '@tocsin/embedded';
import { Broker } from '@tocsin/jetstream';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Log } from './consume.harness.js';
import { Consumer, durable, expectOnceInOrder, subjects } from './consumer.harness.js';

const PERMISSIONS = resolve(import.meta.dirname, '../../../docs/examples/internal-teams/permissions.json');

let log: Log;
let servers: string;

beforeAll(async () => {
  const port = await freePort();
  servers = `nats://team:team@127.0.0.1:${port}`;
  const users: JsonObject[] = [
    { user: 'services', password: 'services' },
    { user: 'team', password: 'team', permissions: JSON.parse(await readFile(PERMISSIONS, 'utf8')) as JsonObject },
  ];
  const env = { TOCSIN_NATS_URL: `nats://services:services@127.0.0.1:${port}` };
  log = await Log.start(env, { port, config: { authorization: { users } } });
});

afterAll(async () => {
  await Consumer.stopAll();
  await log?.stop();
});

describe('a user who may no more than the documentation says', () => {
  it('consumes, and is followed by another process, without a refusal', async () => {
    const name = durable();
    const positions = await log.record(subjects(60, 3));
    const from = { position: positions[0]! };
    const first = new Consumer({ servers }, name, { from, concurrency: 1 });
    await first.until(20);
    // Another setting changes the durable.
    const second = new Consumer({ servers }, name, { from, maxUnacked: 100 });
    await first.stop();
    await second.until(60 - first.handled.length);
    await second.stop();
    expectOnceInOrder([...first.handled, ...second.handled], positions);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  it('may not record', async () => {
    const broker = await Broker.connect({ servers, name: 'team' });
    const event = { id: 'forged', source: 'urn:team', type: 'com.acme.test', subject: 'thing/forged' };
    const append = broker.request(RPC.logAppend, { events: [{ ...event, time: new Date().toISOString() }] });
    await expect(append).rejects.toMatchObject({
      cause: { cause: { message: expect.stringContaining('Permissions Violation') as string } },
    });
    await broker.close();
  });
});
