import type { Database } from '@tocsin/postgres';
import { eventually } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation, type RunningRegistry } from '../registry.harness.js';
import { observe, type ObserversView } from '../targets/observers-view.harness.js';

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

/** Everything the projection holds, byte for byte. */
async function projection(): Promise<string> {
  const [row] = await database.query<{ all: string }>(`
    SELECT concat_ws(E'\\n',
      (SELECT string_agg(t::text, E'\\n' ORDER BY name) FROM registry.target t),
      (SELECT string_agg(h::text, E'\\n' ORDER BY kind, name) FROM registry.target_health h),
      (SELECT string_agg(s::text, E'\\n' ORDER BY name) FROM registry.subscription s),
      (SELECT string_agg(d::text, E'\\n' ORDER BY name) FROM registry.disablement d),
      (SELECT string_agg(v::text, E'\\n' ORDER BY subject) FROM registry.subject_version v),
      (SELECT string_agg(sealed.ref, E'\\n' ORDER BY ref) FROM registry.sealed),
      (SELECT position::text FROM registry.checkpoint)) AS all`);
  return row?.all ?? '';
}

describe('the projection', () => {
  it('read again from the beginning, under running replicas, is the same byte for byte', async () => {
    const [one, two] = [await installation.registry(), await installation.registry()];
    for (const n of [1, 2, 3]) await one.call('PUT', `/v1/targets/replay-${n}`, TARGET);
    await two.call('PUT', '/v1/targets/replay-2', { ...TARGET, labels: { again: 'yes' } });
    await one.call('PUT', '/v1/subscriptions/replay', SUBSCRIPTION);
    const { body: declared } = await two.call('PUT', '/v1/subscriptions/replay', { ...SUBSCRIPTION, order: 'none' });
    installation.recorder.append({
      events: [
        {
          id: 'evt_disabled',
          source: 'tocsin/delivery',
          type: 'io.tocsin.subscription.disabled',
          subject: 'subscription-health/replay',
          time: '2030-01-01T00:00:00.000Z',
          data: { name: 'replay', reason: 'no-success', position: 1, revision: declared.revision },
        },
      ],
    });
    await one.call('DELETE', '/v1/targets/replay-3');
    await observers.converge();
    const before = await projection();
    const watchedBefore = await observers.watched();

    // As somebody with a grudge, or a restore from an old copy, would leave it.
    await database.query(`UPDATE registry.checkpoint SET position = 0`);
    for (const table of ['target', 'target_health', 'subscription', 'disablement', 'api_key', 'subject_version']) {
      await database.query(`DELETE FROM registry.${table}`);
    }
    expect(await projection()).not.toBe(before);
    // The next event shows the replicas that the projection was set back.
    installation.recorder.append({
      events: [{ id: 'x1', source: 'urn:x', type: 'com.acme.x', subject: 'x', time: '2030-01-01T00:00:00.000Z' }],
    });
    const expected = before.replace(/\d+$/, String(installation.recorder.events.length));
    await eventually(async () => (await projection()) === expected, { what: 'the projection is as before' });
    await observers.converge();
    expect(await observers.watched()).toEqual(watchedBefore);
  });

  it('is made anew by a command, the same byte for byte, and the command finds what was not', async () => {
    const [one, two] = [await installation.registry(), await installation.registry()];
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
    await observers.converge();
  });

  it('stays as it was where the log cannot be read to its end while it is made anew', async () => {
    const registry = await installation.registry();
    await registry.call('PUT', '/v1/targets/kept', TARGET);
    const before = await projection();
    await installation.recorder.stop();
    expect((await registry.call('POST', '/v1/registry/rebuild')).status).toBe(503);
    installation.recorder.start();
    expect(await projection()).toBe(before);
  });

  it('is written by any number of replicas at once, each event once', async () => {
    const replicas = [await installation.registry(), await installation.registry(), await installation.registry()];
    const before = installation.recorder.events.length;
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        (replicas[n % 3] as RunningRegistry).call('PUT', `/v1/targets/shared-${n}`, TARGET),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    expect(installation.recorder.events).toHaveLength(before + 60);
    // What one replica answered, every other shows.
    for (const replica of replicas) {
      const list = await replica.call('GET', '/v1/targets?limit=1000');
      expect(list.body.items.filter(({ name }: { name: string }) => name.startsWith('shared-'))).toHaveLength(60);
    }
    const [row] = await database.query<{ position: number }>(`SELECT position FROM registry.checkpoint`);
    expect(row?.position).toBe(installation.recorder.events.length);
    await observers.converge();
  });

  it('stops at an event of its own that it cannot read, says so, and goes on once another replica has read it', async () => {
    const registry = await installation.registry();
    const position = installation.recorder.append({
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
    const registry = await installation.registry();
    const created = await registry.call('PUT', '/v1/targets/fed', TARGET);
    await eventually(async () => (await observers.watched())['fed'] === created.body.revision, {
      what: 'the target is shown',
    });
    expect((await observers.bucket.get('fed'))?.value).toMatchObject({
      name: 'fed',
      spec: { kind: 'node', check: CHECK },
    });
    const changed = await registry.call('PUT', '/v1/targets/fed', { ...TARGET, labels: { a: 'b' } });
    await eventually(async () => (await observers.watched())['fed'] === changed.body.revision, {
      what: 'the change is shown',
    });
    await registry.call('DELETE', '/v1/targets/fed');
    await eventually(async () => (await observers.watched())['fed'] === undefined, {
      what: 'the target is taken away',
    });
  });

  it('comes back after the bucket is lost, and after somebody wrote into it', async () => {
    const registry = await installation.registry();
    await registry.call('PUT', '/v1/targets/kept', TARGET);
    await observers.converge();
    await observers.lose();
    await eventually(async () => (await observers.watched())['kept'] !== undefined, {
      what: 'the target is shown again',
    });
    await observers.converge();

    await observers.bucket.put('kept', { name: 'kept', revision: 1, spec: FULL_CHECK });
    await observers.bucket.put('never-declared', { name: 'never-declared', revision: 99, spec: {} });
    await observers.bucket.delete('shared-1');
    await observers.converge();
  });

  it('is made right at the start, whatever happened meanwhile', async () => {
    const registry = await installation.registry();
    await registry.call('PUT', '/v1/targets/meanwhile', TARGET);
    await installation.closeRegistries();
    await observers.lose();
    await observers.bucket.put('left-over', { name: 'left-over', revision: 99, spec: {} });
    await installation.registry();
    expect(await observers.converged()).toBe(true);
  });

  it('is not rolled back by replicas that write at the same time', async () => {
    const replicas = [await installation.registry(), await installation.registry(), await installation.registry()];
    for (let round = 0; round < 8; round += 1) {
      await Promise.all(
        replicas.map((replica, n) =>
          replica.call('PUT', '/v1/targets/raced', { ...TARGET, labels: { by: `${round}-${n}` } }),
        ),
      );
      if (round % 3 === 2) await replicas[0]?.call('DELETE', '/v1/targets/raced');
    }
    await observers.converge();
    const seen: number[] = [];
    const synced = Promise.withResolvers<void>();
    const watch = observers.bucket.watch({
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
    await observers.converge();
    await watch.close();
    expect(seen).toEqual([...seen].toSorted((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(5);
  });
});
