import { RPC, sealedContext, sealedReplySchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { Sealer } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';
import { eventually } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from './registry.harness.js';
import { SealedStore } from './subscriptions/sealed-store.js';
import { observe, type ObserversView } from './targets/observers-view.harness.js';

const CHECK = { type: 'tcp', host: 'edge.example.net', port: 443 };
const TARGET = { kind: 'node', check: CHECK };
const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/token' },
};

let installation: Installation;
let database: Database;
let observers: ObserversView;

beforeAll(async () => {
  installation = await Installation.start();
  ({ database, observers } = await observe(installation));
});

afterAll(() => installation?.close());

afterEach(() => installation.reset());

async function sealedOf(
  subscription: string,
): Promise<{ sealedRef?: string | undefined; sealed?: string | undefined }> {
  return installation.broker.request(RPC.registrySealed, { subscription }, { schema: sealedReplySchema });
}

describe('a declaration that breaks off', () => {
  it('leaves nothing visible between the seal and the event', async () => {
    const registry = await installation.registry();
    const refused = new TocsinError('TCN_INVALID', 'the recorder ends here');
    installation.recorder.beforeAppend = () => Promise.reject(refused);
    expect((await registry.call('PUT', '/v1/subscriptions/broken-off', SUBSCRIPTION)).status).toBe(422);
    const seals = () => database.query(`SELECT ref FROM registry.sealed WHERE subscription = 'broken-off'`);
    expect(await seals()).toHaveLength(1);

    installation.recorder.mend();
    const next = await installation.registry();
    expect((await next.call('GET', '/v1/subscriptions/broken-off')).status).toBe(404);
    expect((await next.call('GET', '/v1/subscriptions')).body.items).toEqual([]);
    expect(await sealedOf('broken-off')).toEqual({});

    const store = new SealedStore(database, Sealer.fromMasterKey(installation.servers.masterKey));
    expect(await store.sweep(3_600, installation.recorder.events.length)).toBe(0);
    expect(await store.sweep(0, installation.recorder.events.length + 1)).toBe(0);
    expect(await store.sweep(0, installation.recorder.events.length)).toBe(1);
    expect(await seals()).toHaveLength(0);

    expect((await next.call('PUT', '/v1/subscriptions/broken-off', SUBSCRIPTION)).status).toBe(201);
    expect(await store.sweep(0, installation.recorder.events.length)).toBe(0);
  });

  it('is recorded once when the answer to the append is lost', async () => {
    const registry = await installation.registry();
    let lost = 0;
    installation.recorder.afterAppend = async () => {
      lost += 1;
      if (lost === 1) throw new TocsinError('TCN_UNAVAILABLE', 'the answer is lost');
    };
    const created = await registry.call('PUT', '/v1/subscriptions/lost-answer', SUBSCRIPTION);
    expect(created).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_/) } });
    expect(lost).toBe(2);
    expect(installation.recorder.events.filter(({ subject }) => subject === 'subscription/lost-answer')).toHaveLength(
      1,
    );
  });

  it('discards the seal of a write that lost against another, and keeps the one in use', async () => {
    const registry = await installation.registry();
    const put = (path: string) =>
      registry.call('PUT', '/v1/subscriptions/raced', {
        ...SUBSCRIPTION,
        destination: { kind: 'webhook', url: `https://hooks.example.net/${path}` },
      });
    await put('zero');
    const answers = await Promise.all(['one', 'two', 'three'].map(put));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const seals = await database.query<{ ref: string }>(`SELECT ref FROM registry.sealed WHERE subscription = 'raced'`);
    expect(seals).toHaveLength(1);
    const reply = await sealedOf('raced');
    expect(reply.sealedRef).toBe(seals[0]?.ref);
  });

  it('answers 503 or 504 while nobody records, and works again afterwards', { timeout: 40_000 }, async () => {
    const registry = await installation.registry();
    await installation.recorder.stop();
    const refused = await registry.call('PUT', '/v1/targets/nobody-records', TARGET);
    expect([503, 504]).toContain(refused.status);
    expect((await registry.call('GET', '/v1/targets/nobody-records')).status).toBe(404);
    installation.recorder.start();
    expect((await registry.call('PUT', '/v1/targets/nobody-records', TARGET)).status).toBe(201);
  });
});

describe('a start', () => {
  it(
    'goes well before anybody records, and says what is missing until somebody does',
    { timeout: 40_000 },
    async () => {
      await installation.recorder.stop();
      const registry = await installation.boot();
      expect((await registry.readiness.check()).checks['registry']).not.toBe('ok');
      expect((await registry.call('GET', '/v1/targets?limit=1')).status).toBe(200);
      installation.recorder.start();
      await registry.ready();
      expect((await registry.call('PUT', '/v1/targets/early', TARGET)).status).toBe(201);
    },
  );

  it('is repaired when every connection to Postgres breaks', async () => {
    const registry = await installation.registry();
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'tocsin-subscription-registry' AND datname = current_database()`,
    );
    // A call may meet a connection that has just ended; the one after it must not.
    await registry.call('GET', '/v1/targets?limit=1');
    await eventually(async () => (await registry.call('PUT', '/v1/targets/reconnected', TARGET)).status < 300, {
      what: 'writes work again',
      timeoutMs: 20_000,
    });
    await observers.converge();
  });
});

describe('the sealed part', () => {
  it('reaches delivery sealed, opens with the master key, rotates, and is gone with the subscription', async () => {
    const registry = await installation.registry();
    const created = await registry.call('PUT', '/v1/subscriptions/sealed', {
      ...SUBSCRIPTION,
      destination: { kind: 'webhook', url: 'https://u:p@hooks.example.net/t?k=v', headers: { 'X-Key': 'hush' } },
    });
    const reply = await sealedOf('sealed');
    const envelope = Buffer.from(reply.sealed ?? '', 'base64');
    const opened = Sealer.fromMasterKey(installation.servers.masterKey).open(
      envelope,
      sealedContext('sealed', reply.sealedRef ?? ''),
    );
    expect(JSON.parse(opened)).toEqual({
      url: 'https://u:p@hooks.example.net/t?k=v',
      headers: { 'X-Key': 'hush' },
      secrets: { '/url': 'https://u:p@hooks.example.net/t?k=v', '/headers/X-Key': 'hush' },
      signingSecrets: [{ secret: created.body.secret }],
    });

    const rotation = await registry.call('POST', '/v1/subscriptions/sealed/rotate-secret', { overlap: '1h' });
    expect(rotation).toMatchObject({ status: 200, body: { secret: expect.stringMatching(/^whsec_/) } });
    expect(rotation.body.revision).toBeGreaterThan(created.body.revision);
    const after = await sealedOf('sealed');
    const reopened = Sealer.fromMasterKey(installation.servers.masterKey).open(
      Buffer.from(after.sealed ?? '', 'base64'),
      sealedContext('sealed', after.sealedRef ?? ''),
    );
    expect(JSON.parse(reopened)).toMatchObject({
      url: 'https://u:p@hooks.example.net/t?k=v',
      signingSecrets: [{ secret: rotation.body.secret }, { secret: created.body.secret, notAfter: expect.any(Number) }],
    });
    expect((await registry.call('POST', '/v1/subscriptions/sealed/rotate-secret')).status).toBe(200);
    expect(await registry.call('POST', '/v1/subscriptions/sealed/rotate-secret')).toMatchObject({
      status: 409,
      body: { code: 'TCN_CONFLICT' },
    });
    expect(await registry.call('POST', '/v1/subscriptions/sealed/rotate-secret', { overlap: '8d' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/overlap' }] },
    });
    expect((await registry.call('POST', '/v1/subscriptions/nobody/rotate-secret')).status).toBe(404);

    await registry.call('DELETE', '/v1/subscriptions/sealed');
    expect(await sealedOf('sealed')).toEqual({});
  });
});
