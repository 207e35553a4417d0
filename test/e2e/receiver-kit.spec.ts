import { freePort } from '@tocsin/embedded';
import { eventually, ProcessGroup, testDatabase, type TestDatabase } from '@tocsin/testing';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../harness/installation.js';

// What docs/receiving.md shows, as it stands there, against deliveries of a running Tocsin.
const EXAMPLES = resolve(import.meta.dirname, '../../docs/examples/receiving');
const FROM_SOURCE = ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register'];
const processes = new ProcessGroup();
let tocsin: Installation;
let database: TestDatabase;

beforeAll(async () => {
  [tocsin, database] = await Promise.all([Installation.create('standalone'), testDatabase()]);
  await tocsin.start();
});

afterAll(async () => {
  await processes.kill9();
  await tocsin?.destroy();
});

/** Subscribes, and starts an example under the secret that the subscription got. */
async function receiving(name: string, file: string, types: string[]): Promise<void> {
  const port = await freePort();
  const { status, body } = await tocsin.call('PUT', `/v1/subscriptions/${name}`, {
    types,
    destination: { kind: 'webhook', url: `http://127.0.0.1:${port}/tocsin` },
  });
  expect(status).toBe(201);
  const env = { PORT: String(port), DATABASE_URL: database.url, TOCSIN_SECRETS: body.secret };
  await processes.spawn(file, process.execPath, [...FROM_SOURCE, resolve(EXAMPLES, file)], {
    env,
    ready: { line: /^listening$/ },
  });
}

async function record(events: readonly { type: string; subject: string; data?: object }[]): Promise<void> {
  const { status, body } = await tocsin.call(
    'POST',
    '/v1/events',
    events.map((event, n) => ({ specversion: '1.0', id: `${event.type}-${n}`, source: 'urn:test', ...event })),
    { 'content-type': 'application/cloudevents-batch+json' },
  );
  expect(body.code).toBeUndefined();
  expect(status).toBe(201);
}

const rows = (table: string) => database.query<Record<string, string>>(`SELECT * FROM ${table} ORDER BY 1`);
const inbox = async () => (await rows('tocsin_inbox')).length;

/** Sends a subscription's past once more, and waits until every attempt of it has been answered. */
async function replay(name: string, attempts: number): Promise<void> {
  const { status } = await tocsin.call('POST', `/v1/subscriptions/${name}/replay`, { from: { position: 0 } });
  expect(status).toBeLessThan(300);
  await eventually(
    async () => {
      const { body } = await tocsin.call('GET', `/v1/deliveries?subscription=${name}&state=delivered&limit=1000`);
      return body.items.length >= attempts;
    },
    { what: `${attempts} attempts of ${name} have succeeded`, timeoutMs: 20_000 },
  );
}

describe('the examples of receivers', () => {
  it('Express: writes each outage once, also when the past is sent again', async () => {
    await receiving('outages', 'express.ts', ['io.tocsin.node.offline', 'com.acme.kit.*']);
    // Producers' own types are signed alike, taken, and passed over.
    await record([{ type: 'com.acme.kit.other', subject: 'thing/a' }]);
    await tocsin.call('PUT', '/v1/targets/edge-1', {
      kind: 'node',
      check: { type: 'tcp', host: '127.0.0.1', port: await freePort(), interval: '1s' },
    });
    await eventually(async () => (await rows('outage')).length === 1, {
      what: 'the outage is written',
      timeoutMs: 30_000,
    });
    await replay('outages', 4);
    expect(await rows('outage')).toMatchObject([{ node: 'edge-1' }]);
    expect(await inbox()).toBe(1);
  });

  it('node:http: shows the newest of each subject, whatever comes again', async () => {
    const before = await inbox();
    await receiving('states', 'node-http.ts', ['com.acme.state.*']);
    const types = ['com.acme.state.red', 'com.acme.state.amber', 'com.acme.state.green'];
    for (const type of types) await record(['a', 'b'].map((subject) => ({ type, subject: `light/${subject}` })));
    await eventually(async () => (await inbox()) === before + 6, { what: 'all have come', timeoutMs: 20_000 });
    await replay('states', 12);
    expect(await rows('state')).toMatchObject([
      { subject: 'light/a', type: 'com.acme.state.green' },
      { subject: 'light/b', type: 'com.acme.state.green' },
    ]);
    expect(await inbox()).toBe(before + 6);
  });
});
