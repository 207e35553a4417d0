import { ROLES } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';
import { eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, type RunningRegistry } from './registry.harness.js';

let installation: Installation;
let one: RunningRegistry;
let two: RunningRegistry;
let database: Database;

beforeAll(async () => {
  installation = await Installation.start();
  [one, two] = [await installation.registry(), await installation.registry()];
  database = await installation.database();
});

afterAll(() => installation?.close());

async function make(name: string, spec: object): Promise<string> {
  const made = await one.call('PUT', `/v1/keys/${name}`, spec);
  expect(made.status).toBe(201);
  return made.body.key;
}

/** The status of a call with `key`. */
async function tried(registry: RunningRegistry, key: string, method = 'GET', path = '/v1/targets'): Promise<number> {
  return (await registry.call(method, path, undefined, { authorization: `Bearer ${key}` })).status;
}

describe('an API key', () => {
  it('is shown once, described ever after, changed, revoked and made anew', async () => {
    const made = await one.call('PUT', '/v1/keys/ci', { role: 'editor', description: 'the pipeline' });
    expect(made).toMatchObject({ status: 201, body: { name: 'ci', role: 'editor', description: 'the pipeline' } });
    expect(made.body.key).toMatch(/^tcn_[a-z0-9]{16}_[A-Za-z0-9_-]{43}$/);
    expect(made.headers.get('location')).toBe('/v1/keys/ci');
    const { key, ...shown } = made.body;
    const read = await two.call('GET', '/v1/keys/ci');
    expect(read.body).toEqual(shown);
    expect((await one.call('GET', '/v1/keys')).body.items).toContainEqual(shown);
    expect(JSON.stringify(installation.recorder.events)).not.toContain(key);
    expect(JSON.stringify(installation.recorder.events)).not.toContain('scrypt');

    expect(await one.call('PUT', '/v1/keys/ci', { role: 'editor', description: 'the pipeline' })).toMatchObject({
      status: 200,
      body: shown,
    });
    const changed = await one.call(
      'PUT',
      '/v1/keys/ci',
      { role: 'viewer' },
      { 'if-match': read.headers.get('etag') ?? '' },
    );
    expect(changed).toMatchObject({ status: 200, body: { role: 'viewer', keyId: shown.keyId } });
    expect(changed.body).not.toHaveProperty('key');
    expect((await one.call('PUT', '/v1/keys/ci', { role: 'admin' }, { 'if-match': '"1"' })).status).toBe(412);

    expect((await one.call('DELETE', '/v1/keys/ci')).status).toBe(204);
    expect((await two.call('GET', '/v1/keys/ci')).status).toBe(404);
    expect(await database.query(`SELECT FROM registry.key_secret WHERE key_id = $1`, [shown.keyId])).toEqual([]);
    expect(await make('ci', { role: 'viewer' })).not.toBe(key);
    expect(installation.recorder.events.filter(({ subject }) => subject === 'key/ci').map(({ type }) => type)).toEqual([
      'io.tocsin.key.created',
      'io.tocsin.key.updated',
      'io.tocsin.key.removed',
      'io.tocsin.key.created',
    ]);
  });

  it('is kept as a hash that is none of its own digests', async () => {
    const key = await make('hashed', { role: 'viewer' });
    const [row] = await database.query<{ hash: string }>(`SELECT hash FROM registry.key_secret WHERE key_id = $1`, [
      key.slice(4, 20),
    ]);
    expect(row?.hash).toMatch(/^scrypt\$16384\$8\$1\$/);
  });

  it('acts under its own name', async () => {
    const key = await make('actor', { role: 'editor' });
    const authorization = `Bearer ${key}`;
    const spec = { kind: 'node', check: { type: 'tcp', host: 'edge.example.net', port: 443 } };
    expect((await two.call('PUT', '/v1/targets/by-actor', spec, { authorization })).status).toBe(201);
    expect(installation.recorder.events.findLast(({ subject }) => subject === 'target/by-actor')?.data).toMatchObject({
      actor: 'actor',
    });
  });

  it.each(ROLES)('with the role %s may do what that role may', async (role) => {
    const key = await make(`role-${role}`, { role });
    const may = { admin: [200, 200], editor: [200, 403], viewer: [200, 403], producer: [403, 403] }[role];
    expect([await tried(one, key), await tried(one, key, 'GET', '/v1/keys')]).toEqual(may);
  });

  it('that was revoked is refused by every process within two seconds, also where the word of it is lost', async () => {
    const key = await make('revoked', { role: 'viewer' });
    expect([await tried(one, key), await tried(two, key)]).toEqual([200, 200]);
    expect((await one.call('DELETE', '/v1/keys/revoked')).status).toBe(204);
    // Both heard of it: no second to wait.
    expect([await tried(one, key), await tried(two, key)]).toEqual([401, 401]);

    const unheard = await make('unheard', { role: 'viewer' });
    expect(await tried(two, unheard)).toBe(200);
    const { keyId } = (await one.call('GET', '/v1/keys/unheard')).body;
    await database.query(`DELETE FROM registry.api_key WHERE key_id = $1`, [keyId]);
    const since = performance.now();
    await eventually(async () => (await tried(two, unheard)) === 401, { what: 'the key is refused', timeoutMs: 2_000 });
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  it('whose role was changed has the new one at once', async () => {
    const key = await make('demoted', { role: 'admin' });
    expect(await tried(two, key, 'GET', '/v1/keys')).toBe(200);
    await one.call('PUT', '/v1/keys/demoted', { role: 'viewer' });
    expect(await tried(two, key, 'GET', '/v1/keys')).toBe(403);
  });

  it('ends by itself, and cannot be declared with an end in the past', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const key = await make('brief', { role: 'viewer', expiresAt });
    expect(await tried(one, key)).toBe(200);
    await eventually(async () => (await tried(one, key)) === 401, { what: 'the key has ended', timeoutMs: 4_000 });
    const past = { role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' };
    expect(await one.call('PUT', '/v1/keys/past', past)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/expiresAt' }] },
    });
  });

  it('shows when it was used last, to the minute', async () => {
    const key = await make('used', { role: 'viewer' });
    expect((await one.call('GET', '/v1/keys/used')).body).not.toHaveProperty('lastUsedAt');
    await tried(two, key);
    const { lastUsedAt } = (await one.call('GET', '/v1/keys/used')).body;
    expect(Date.now() - Date.parse(lastUsedAt)).toBeLessThan(120_000);
    expect(lastUsedAt).toMatch(/:00(?:\.000)?Z$/);
  });

  it('is held to its rate, and its neighbour is not', async () => {
    const slow = await make('slow', { role: 'viewer', rate: { perSecond: 2, burst: 3 } });
    const other = await make('other', { role: 'viewer' });
    const statuses = await Promise.all(Array.from({ length: 5 }, () => tried(one, slow)));
    expect(statuses.toSorted()).toEqual([200, 200, 200, 429, 429]);
    expect(await tried(one, other)).toBe(200);
    const refused = await one.call('GET', '/v1/targets', undefined, { authorization: `Bearer ${slow}` });
    expect(refused).toMatchObject({ status: 429, body: { code: 'TCN_OVERLOADED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('costs its hash once and not at every call', async () => {
    const key = await make('quick', { role: 'viewer', rate: { perSecond: 100_000 } });
    await tried(one, key);
    const since = performance.now();
    for (let n = 0; n < 50; n += 1) await tried(one, key);
    // Fifty hashes alone would take two seconds.
    expect(performance.now() - since).toBeLessThan(1_500);
  });

  it.each(['', 'x', `tcn_${'a'.repeat(16)}_${'b'.repeat(43)}`, `tcn_${'a'.repeat(43)}`])(
    'that nobody has, %j, is refused',
    async (key) => {
      expect(await tried(one, key)).toBe(401);
    },
  );

  it('with another secret behind a known id is refused', async () => {
    const key = await make('guessed', { role: 'viewer' });
    expect(await tried(one, `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`)).toBe(401);
  });

  it('cannot take the name of the bootstrap key, an unknown role or an unknown field', async () => {
    for (const [name, spec] of [
      ['bootstrap', { role: 'viewer' }],
      ['bad', { role: 'root' }],
      ['bad', { role: 'viewer', scope: '*' }],
      ['Bad', { role: 'viewer' }],
    ] as const) {
      expect((await one.call('PUT', `/v1/keys/${name}`, spec)).status).toBe(422);
    }
  });

  it('is answered with 503 while no registry answers, and the bootstrap key works on', async () => {
    const key = await make('alone', { role: 'viewer' });
    const gateway = await installation.servers.stranger();
    try {
      expect(await tried(gateway, key)).toBe(200);
      await installation.closeRegistries();
      await eventually(async () => (await tried(gateway, key)) === 503, { what: 'nobody can say', timeoutMs: 5_000 });
      expect((await gateway.call('GET', '/v1/targets')).status).toBe(200);
    } finally {
      await gateway.close();
      [one, two] = [await installation.registry(), await installation.registry()];
    }
    expect(await tried(one, key)).toBe(200);
  });

  it('that a crash left without its event is swept away', async () => {
    const { KeyStore } = await import('./access/key-store.js');
    const store = new KeyStore(database);
    await store.putSecret('orphan0000000000', 'scrypt$x');
    await database.query(`UPDATE registry.key_secret SET made_at = now() - interval '2 hours'`);
    const before = (await one.call('GET', '/v1/keys?limit=1000')).body.items.length;
    await store.sweep(3_600, installation.recorder.events.length + 1);
    expect(await database.query(`SELECT FROM registry.key_secret WHERE key_id = 'orphan0000000000'`)).toHaveLength(1);
    await store.sweep(3_600, installation.recorder.events.length);
    const left = await database.query<{ key_id: string }>(`SELECT key_id FROM registry.key_secret`);
    expect(left.map(({ key_id }) => key_id)).not.toContain('orphan0000000000');
    expect(left).toHaveLength(before);
  });
});
