import { JETSTREAM, RPC, sealedContext, sealedReplySchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Broker, KeyValue } from '@tocsin/jetstream';
import { Sealer } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';
import { eventually } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SealedStore } from './subscriptions/sealed-store.js';
import { type RunningRegistry, Servers } from './testing/registry-harness.js';
import { StandInRecorder } from './testing/stand-in-recorder.js';

const CHECK = { type: 'tcp', host: 'edge.example.net', port: 443 };
const TARGET = { kind: 'node', check: CHECK };
const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/token' },
};

let servers: Servers;
let broker: Broker;
let recorder: StandInRecorder;
let database: Database;
let bucket: KeyValue;
let registries: RunningRegistry[] = [];

beforeAll(async () => {
  servers = await Servers.start();
  broker = await servers.connect('recorder');
  recorder = new StandInRecorder(broker);
  recorder.start();
  const first = await servers.registry();
  await first.close();
  database = await servers.database();
  bucket = await broker.kv(JETSTREAM.targetsBucket);
});

afterAll(async () => {
  await database?.close();
  await recorder?.stop();
  await broker?.close();
  await servers?.stop();
});

beforeEach(() => {
  recorder.beforeAppend = async () => undefined;
  recorder.afterAppend = async () => undefined;
});

afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
});

async function start(): Promise<RunningRegistry> {
  const registry = await servers.registry();
  registries.push(registry);
  await registry.ready();
  return registry;
}

/** Everything the projection holds, byte for byte. */
async function projection(): Promise<string> {
  const [row] = await database.query<{ all: string }>(`
    SELECT concat_ws(E'\\n',
      (SELECT string_agg(t::text, E'\\n' ORDER BY name) FROM registry.target t),
      (SELECT string_agg(h::text, E'\\n' ORDER BY kind, name) FROM registry.target_health h),
      (SELECT string_agg(s::text, E'\\n' ORDER BY name) FROM registry.subscription s),
      (SELECT string_agg(v::text, E'\\n' ORDER BY subject) FROM registry.subject_version v),
      (SELECT string_agg(sealed.ref, E'\\n' ORDER BY ref) FROM registry.sealed),
      (SELECT position::text FROM registry.checkpoint)) AS all`);
  return row?.all ?? '';
}

/** Name → revision of what observers see. */
async function watched(): Promise<Record<string, number>> {
  const entries = await Promise.all((await bucket.keys()).map((key) => bucket.get(key)));
  return Object.fromEntries(
    entries.flatMap((entry) =>
      entry === undefined ? [] : [[entry.key, (entry.value as { revision: number }).revision]],
    ),
  );
}

async function declaredRevisions(): Promise<Record<string, number>> {
  const rows = await database.query<{ name: string; revision: number }>(`SELECT name, revision FROM registry.target`);
  return Object.fromEntries(rows.map(({ name, revision }) => [name, revision]));
}

const CONVERGED = { what: 'observers see what is declared' };

const converged = async () =>
  JSON.stringify(Object.entries(await watched()).toSorted()) ===
  JSON.stringify(Object.entries(await declaredRevisions()).toSorted());

describe('a declaration that breaks off', () => {
  it('leaves nothing visible between the seal and the event', async () => {
    const registry = await start();
    const refused = new TocsinError('TCN_INVALID', 'the recorder ends here');
    recorder.beforeAppend = () => Promise.reject(refused);
    expect((await registry.call('PUT', '/v1/subscriptions/broken-off', SUBSCRIPTION)).status).toBe(422);
    const seals = () => database.query(`SELECT ref FROM registry.sealed WHERE subscription = 'broken-off'`);
    expect(await seals()).toHaveLength(1);

    recorder.beforeAppend = async () => undefined;
    const next = await start();
    expect((await next.call('GET', '/v1/subscriptions/broken-off')).status).toBe(404);
    expect((await next.call('GET', '/v1/subscriptions')).body.items).toEqual([]);
    expect(await sealedOf('broken-off')).toEqual({});

    const store = new SealedStore(database, Sealer.fromMasterKey(servers.masterKey));
    expect(await store.sweep(3_600, recorder.events.length)).toBe(0);
    expect(await store.sweep(0, recorder.events.length + 1)).toBe(0);
    expect(await store.sweep(0, recorder.events.length)).toBe(1);
    expect(await seals()).toHaveLength(0);

    expect((await next.call('PUT', '/v1/subscriptions/broken-off', SUBSCRIPTION)).status).toBe(201);
    expect(await store.sweep(0, recorder.events.length)).toBe(0);
  });

  it('is recorded once when the answer to the append is lost', async () => {
    const registry = await start();
    let lost = 0;
    recorder.afterAppend = async () => {
      lost += 1;
      if (lost === 1) throw new TocsinError('TCN_UNAVAILABLE', 'the answer is lost');
    };
    const created = await registry.call('PUT', '/v1/subscriptions/lost-answer', SUBSCRIPTION);
    expect(created).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_/) } });
    expect(lost).toBe(2);
    expect(recorder.events.filter(({ subject }) => subject === 'subscription/lost-answer')).toHaveLength(1);
  });

  it('discards the seal of a write that lost against another, and keeps the one in use', async () => {
    const registry = await start();
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
    const registry = await start();
    await recorder.stop();
    const refused = await registry.call('PUT', '/v1/targets/nobody-records', TARGET);
    expect([503, 504]).toContain(refused.status);
    expect((await registry.call('GET', '/v1/targets/nobody-records')).status).toBe(404);
    recorder.start();
    expect((await registry.call('PUT', '/v1/targets/nobody-records', TARGET)).status).toBe(201);
  });
});

async function sealedOf(
  subscription: string,
): Promise<{ sealedRef?: string | undefined; sealed?: string | undefined }> {
  return broker.request(RPC.registrySealed, { subscription }, { schema: sealedReplySchema });
}

describe('a start', () => {
  it(
    'goes well before anybody records, and says what is missing until somebody does',
    { timeout: 40_000 },
    async () => {
      await recorder.stop();
      const registry = await servers.registry();
      registries.push(registry);
      expect((await registry.readiness.check()).checks['registry']).not.toBe('ok');
      expect((await registry.call('GET', '/v1/targets?limit=1')).status).toBe(200);
      recorder.start();
      await registry.ready();
      expect((await registry.call('PUT', '/v1/targets/early', TARGET)).status).toBe(201);
    },
  );

  it('is repaired when every connection to Postgres breaks', async () => {
    const registry = await start();
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
    await eventually(converged, CONVERGED);
  });
});

describe('the sealed part', () => {
  it('reaches delivery sealed, opens with the master key, rotates, and is gone with the subscription', async () => {
    const registry = await start();
    const created = await registry.call('PUT', '/v1/subscriptions/sealed', {
      ...SUBSCRIPTION,
      destination: { kind: 'webhook', url: 'https://u:p@hooks.example.net/t?k=v', headers: { 'X-Key': 'hush' } },
    });
    const reply = await sealedOf('sealed');
    const envelope = Buffer.from(reply.sealed ?? '', 'base64');
    const opened = Sealer.fromMasterKey(servers.masterKey).open(
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
    const reopened = Sealer.fromMasterKey(servers.masterKey).open(
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

describe('the projection', () => {
  it('read again from the beginning, under running replicas, is the same byte for byte', async () => {
    const [one, two] = [await start(), await start()];
    for (const n of [1, 2, 3]) await one.call('PUT', `/v1/targets/replay-${n}`, TARGET);
    await two.call('PUT', '/v1/targets/replay-2', { ...TARGET, labels: { again: 'yes' } });
    await one.call('DELETE', '/v1/targets/replay-3');
    await one.call('PUT', '/v1/subscriptions/replay', SUBSCRIPTION);
    await two.call('PUT', '/v1/subscriptions/replay', { ...SUBSCRIPTION, order: 'none' });
    await eventually(converged, CONVERGED);
    const before = await projection();
    const watchedBefore = await watched();

    // As somebody with a grudge, or a restore from an old copy, would leave it.
    await database.query(`UPDATE registry.checkpoint SET position = 0`);
    for (const table of ['target', 'target_health', 'subscription', 'api_key', 'subject_version']) {
      await database.query(`DELETE FROM registry.${table}`);
    }
    expect(await projection()).not.toBe(before);
    // The next event shows the replicas that the projection was set back.
    recorder.append({
      events: [{ id: 'x1', source: 'urn:x', type: 'com.acme.x', subject: 'x', time: '2030-01-01T00:00:00.000Z' }],
    });
    const expected = before.replace(/\d+$/, String(recorder.events.length));
    await eventually(async () => (await projection()) === expected, { what: 'the projection is as before' });
    await eventually(converged, CONVERGED);
    expect(await watched()).toEqual(watchedBefore);
  });

  it('is made anew by a command, the same byte for byte, and the command finds what was not', async () => {
    const [one, two] = [await start(), await start()];
    await one.call('PUT', '/v1/targets/rebuilt', TARGET);
    await one.call('PUT', '/v1/subscriptions/rebuilt', SUBSCRIPTION);
    await one.call('PUT', '/v1/keys/rebuilt', { role: 'viewer' });
    const before = await projection();

    const writing = Array.from({ length: 20 }, (_, n) => two.call('PUT', `/v1/targets/rebuilding-${n}`, TARGET));
    const rebuilt = await one.call('POST', '/v1/registry/rebuild');
    expect(rebuilt.status).toBe(200);
    expect(rebuilt.body.tables.map(({ changed }: { changed: boolean }) => changed)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(rebuilt.body.tables[0]).toMatchObject({ table: 'target', rows: expect.any(Number) });
    expect((await Promise.all(writing)).every(({ status }) => status === 201)).toBe(true);
    for (let n = 0; n < 20; n += 1) await two.call('DELETE', `/v1/targets/rebuilding-${n}`);
    const rows = (text: string) => text.split('\n').filter((row) => !/rebuilding-|^\d+$/.test(row));
    expect(rows(await projection())).toEqual(rows(before));

    await database.query(`UPDATE registry.target SET owner = 'nobody' WHERE name = 'rebuilt'`);
    const mended = await two.call('POST', '/v1/registry/rebuild');
    const changed = mended.body.tables.filter((table: { changed: boolean }) => table.changed);
    expect(changed).toMatchObject([{ table: 'target' }]);
    expect(rows(await projection())).toEqual(rows(before));
    await eventually(converged, CONVERGED);
  });

  it('stays as it was where the log cannot be read to its end while it is made anew', async () => {
    const registry = await start();
    await registry.call('PUT', '/v1/targets/kept', TARGET);
    const before = await projection();
    await recorder.stop();
    expect((await registry.call('POST', '/v1/registry/rebuild')).status).toBe(503);
    recorder.start();
    expect(await projection()).toBe(before);
  });

  it('is written by any number of replicas at once, each event once', async () => {
    const replicas = [await start(), await start(), await start()];
    const before = recorder.events.length;
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        (replicas[n % 3] as RunningRegistry).call('PUT', `/v1/targets/shared-${n}`, TARGET),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    expect(recorder.events).toHaveLength(before + 60);
    // What one replica answered, every other shows.
    for (const replica of replicas) {
      const list = await replica.call('GET', '/v1/targets?limit=1000');
      expect(list.body.items.filter(({ name }: { name: string }) => name.startsWith('shared-'))).toHaveLength(60);
    }
    const [row] = await database.query<{ position: number }>(`SELECT position FROM registry.checkpoint`);
    expect(row?.position).toBe(recorder.events.length);
    await eventually(converged, CONVERGED);
  });

  it('stops at an event of its own that it cannot read, says so, and goes on once another replica has read it', async () => {
    const registry = await start();
    const position = recorder.append({
      events: [
        {
          id: 'evt_future',
          source: 'tocsin/subscription-registry',
          type: 'io.tocsin.target.registered',
          subject: 'target/future',
          time: '2030-01-01T00:00:00.000Z',
          data: { name: 'future', actor: 'x', spec: { ...TARGET, orbit: 'low' } },
        },
      ],
    })[0]?.position;
    await eventually(async () => (await registry.readiness.check()).status !== 'ok', { what: 'readiness tells' });
    const { checks } = await registry.readiness.check();
    expect(checks['registry']).toContain(`interrupted after position ${(position ?? 0) - 1}`);

    // Another replica, of a version that reads it, writes it to the projection they share: this one goes on behind it.
    await database.query(`UPDATE registry.checkpoint SET position = $1`, [position]);
    await eventually(async () => (await registry.readiness.check()).status === 'ok', {
      what: 'it is ready again',
      timeoutMs: 20_000,
    });
    expect((await registry.call('PUT', '/v1/targets/after-future', TARGET)).status).toBe(201);
  });
});

const FULL_CHECK = { ...CHECK, interval: '10s', timeout: '2s', fastInterval: '1s', failures: 2, successes: 2 };

describe('what observers see', () => {
  it('follows every declaration, change and removal', async () => {
    const registry = await start();
    const created = await registry.call('PUT', '/v1/targets/fed', TARGET);
    await eventually(async () => (await watched())['fed'] === created.body.revision, { what: 'the target is shown' });
    expect((await bucket.get('fed'))?.value).toMatchObject({ name: 'fed', spec: { kind: 'node', check: CHECK } });
    const changed = await registry.call('PUT', '/v1/targets/fed', { ...TARGET, labels: { a: 'b' } });
    await eventually(async () => (await watched())['fed'] === changed.body.revision, { what: 'the change is shown' });
    await registry.call('DELETE', '/v1/targets/fed');
    await eventually(async () => (await watched())['fed'] === undefined, { what: 'the target is taken away' });
  });

  it('comes back after the bucket is lost, and after somebody wrote into it', async () => {
    const registry = await start();
    await registry.call('PUT', '/v1/targets/kept', TARGET);
    await eventually(converged, CONVERGED);
    await deleteBucket();
    await eventually(async () => (await watched())['kept'] !== undefined && (await converged()), CONVERGED);

    await bucket.put('kept', { name: 'kept', revision: 1, spec: FULL_CHECK });
    await bucket.put('never-declared', { name: 'never-declared', revision: 99, spec: {} });
    await bucket.delete('shared-1');
    await eventually(converged, CONVERGED);
  });

  it('is made right at the start, whatever happened meanwhile', async () => {
    const registry = await start();
    await registry.call('PUT', '/v1/targets/meanwhile', TARGET);
    await registry.close();
    registries = [];
    await deleteBucket();
    await bucket.put('left-over', { name: 'left-over', revision: 99, spec: {} });
    await start();
    expect(await converged()).toBe(true);
  });

  it('is not rolled back by replicas that write at the same time', async () => {
    const replicas = [await start(), await start(), await start()];
    for (let round = 0; round < 8; round += 1) {
      await Promise.all(
        replicas.map((replica, n) =>
          replica.call('PUT', '/v1/targets/raced', { ...TARGET, labels: { by: `${round}-${n}` } }),
        ),
      );
      if (round % 3 === 2) await replicas[0]?.call('DELETE', '/v1/targets/raced');
    }
    await eventually(converged, CONVERGED);
    const seen: number[] = [];
    const synced = Promise.withResolvers<void>();
    const watch = bucket.watch({
      onPut: (entry) => {
        if (entry.key === 'raced') seen.push((entry.value as { revision: number }).revision);
      },
      onDelete: () => undefined,
      onSynced: () => synced.resolve(),
    });
    await synced.promise;
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        replicas.map((replica, n) =>
          replica.call('PUT', '/v1/targets/raced', { ...TARGET, labels: { by: `w${round}-${n}` } }),
        ),
      );
    }
    await eventually(converged, CONVERGED);
    await watch.close();
    expect(seen).toEqual([...seen].toSorted((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(5);
  });
});

async function deleteBucket(): Promise<void> {
  const subject = `$JS.API.STREAM.DELETE.KV_${JETSTREAM.targetsBucket}`;
  // The answer is JetStream's own, not one of our envelopes.
  await broker.request(subject, {}, { timeoutMs: 5_000 }).catch(() => undefined);
}
