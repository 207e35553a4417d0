import type { RecordedEvent } from '@tocsin/domain';
import type { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, startStage } from './registry.harness.js';

const CHECK = { type: 'http', url: 'https://edge.example.net/healthz' };
const HOOK = 'https://hooks.example.net/T0/B0/s3cr3t?k=v';

let registry: Stage;
let database: Database;

beforeAll(async () => {
  registry = await startStage();
  database = await registry.database();
});

afterAll(() => registry?.close());

function eventsOf(subject: string): RecordedEvent[] {
  return registry.recorder.events.filter((event) => event.subject === subject);
}

describe('preconditions', () => {
  it('holds writers to the revision they read', async () => {
    const path = '/v1/targets/conditional';
    const body = (interval: string) => ({ kind: 'node', check: { ...CHECK, interval } });
    expect((await registry.call('PUT', path, body('10s'), { 'if-match': '*' })).status).toBe(412);
    const created = await registry.call('PUT', path, body('10s'), { 'if-none-match': '*' });
    expect(created.status).toBe(201);
    const twice = await registry.call('PUT', path, body('20s'), { 'if-none-match': '*' });
    expect(twice.body).toMatchObject({ status: 412, code: 'TCN_PRECONDITION_FAILED' });

    const etag = created.headers.get('etag') ?? '';
    const updated = await registry.call('PUT', path, body('20s'), { 'if-match': etag });
    expect(updated.status).toBe(200);
    expect((await registry.call('PUT', path, body('30s'), { 'if-match': etag })).status).toBe(412);
    expect((await registry.call('DELETE', path, undefined, { 'if-match': etag })).status).toBe(412);
    expect((await registry.call('PUT', path, body('30s'), { 'if-match': 'nonsense' })).status).toBe(422);
    const etag2 = updated.headers.get('etag') ?? '';
    expect(
      (await registry.call('GET', path, undefined, { 'if-none-match': etag2, 'cache-control': 'max-age=0' })).status,
    ).toBe(304);
    expect((await registry.call('DELETE', path, undefined, { 'if-match': etag2 })).status).toBe(204);
  });

  it('lets exactly one of many writers with the same If-Match through, and all of those without', async () => {
    const path = '/v1/targets/contended';
    const body = (n: number) => ({ kind: 'node', check: { ...CHECK, failures: n } });
    const { headers } = await registry.call('PUT', path, body(1));
    const etag = headers.get('etag') ?? '';
    const conditional = await Promise.all(
      [2, 3, 4].map((n) => registry.call('PUT', path, body(n), { 'if-match': etag })),
    );
    expect(conditional.map(({ status }) => status).toSorted()).toEqual([200, 412, 412]);
    const unconditional = await Promise.all([5, 6, 7].map((n) => registry.call('PUT', path, body(n))));
    expect(unconditional.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(eventsOf('target/contended')).toHaveLength(5);
  });
});

describe('a dry run', () => {
  it('says what would be, for targets and subscriptions, and records nothing', async () => {
    const before = registry.recorder.events.length;
    const path = '/v1/targets/dry';
    const dry = await registry.call('PUT', `${path}?dryRun=true`, { kind: 'node', check: CHECK });
    expect(dry).toMatchObject({ status: 200, body: { name: 'dry', state: 'pending', revision: 0 } });
    expect(dry.headers.get('tocsin-dry-run')).toBe('created');
    expect((await registry.call('GET', path)).status).toBe(404);

    const subscription = await registry.call('PUT', '/v1/subscriptions/dry?dryRun=true', {
      types: ['*'],
      destination: { kind: 'webhook', url: HOOK },
    });
    expect(subscription.body).toMatchObject({ destination: { url: 'https://hooks.example.net/…' }, revision: 0 });
    expect(subscription.body).not.toHaveProperty('secret');
    expect(await database.query(`SELECT ref FROM registry.sealed WHERE subscription = 'dry'`)).toEqual([]);
    const wrong = await registry.call('PUT', `${path}?dryRun=true`, { kind: 'node', check: { ...CHECK, x: 1 } });
    expect(wrong.status).toBe(422);
    expect((await registry.call('PUT', `${path}?dryrun=true`, { kind: 'node', check: CHECK })).status).toBe(422);
    expect(registry.recorder.events).toHaveLength(before);

    await registry.call('PUT', path, { kind: 'node', check: CHECK });
    const patched = await registry.call('PATCH', `${path}?dryRun=true`, { labels: { a: 'b' } });
    expect(patched.headers.get('tocsin-dry-run')).toBe('updated');
    expect(patched.body.labels).toEqual({ a: 'b' });
    expect((await registry.call('GET', path)).body.labels).toEqual({});
    expect((await registry.call('DELETE', `${path}?dryRun=true`)).status).toBe(204);
    expect((await registry.call('GET', path)).status).toBe(200);
    expect((await registry.call('POST', '/v1/apply?dryRun=true', {})).status).toBe(422);
    expect(registry.recorder.events).toHaveLength(before + 1);
  });
});

describe('lists', () => {
  it('are cut into pages and selected by labels', async () => {
    for (const n of [1, 2, 3]) {
      await registry.call('PUT', `/v1/targets/list-${n}`, {
        kind: 'node',
        labels: { list: 'yes', odd: String(n % 2 === 1) },
        check: CHECK,
      });
    }
    const first = await registry.call('GET', '/v1/targets?labels=list=yes&limit=2');
    expect(first.body.items.map(({ name }: { name: string }) => name)).toEqual(['list-1', 'list-2']);
    const second = await registry.call('GET', `/v1/targets?labels=list=yes&limit=2&cursor=${first.body.next}`);
    expect(second.body.items.map(({ name }: { name: string }) => name)).toEqual(['list-3']);
    expect(second.body.next).toBeNull();
    const odd = await registry.call('GET', '/v1/targets?labels=list=yes,odd=true');
    expect(odd.body.items.map(({ name }: { name: string }) => name)).toEqual(['list-1', 'list-3']);
  });

  it.each([
    ['limit=0', '/limit'],
    ['limit=x', '/limit'],
    ['labels=site', '/labels'],
    ['cursor=%21', '/cursor'],
    ['page=2', '/page'],
  ])('refuse ?%s', async (query, pointer) => {
    const answer = await registry.call('GET', `/v1/targets?${query}`);
    expect(answer).toMatchObject({ status: 422, body: { code: 'TCN_INVALID', errors: [{ pointer }] } });
  });
});

describe('apply', () => {
  const body = {
    owner: 'edge-platform',
    targets: [
      { name: 'ap-1', kind: 'node', check: CHECK },
      { name: 'ap-2', kind: 'node', check: CHECK },
    ],
    subscriptions: [
      { name: 'ap-s', types: ['io.tocsin.*.*'], destination: { kind: 'webhook', url: 'https://a.example/h' } },
    ],
  };

  it('says what it would do, does it, and does nothing the second time', async () => {
    const before = registry.recorder.events.length;
    const dry = await registry.call('POST', '/v1/apply', { ...body, dryRun: true });
    expect(dry.body).toEqual({
      created: ['subscription/ap-s', 'target/ap-1', 'target/ap-2'],
      updated: [],
      unchanged: [],
      deleted: [],
      takenOver: {},
      revisions: { 'subscription/ap-s': 0, 'target/ap-1': 0, 'target/ap-2': 0 },
      secrets: {},
      tokens: {},
    });
    expect(registry.recorder.events).toHaveLength(before);

    const done = await registry.call('POST', '/v1/apply', body);
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({
      created: dry.body.created,
      secrets: { 'ap-s': expect.stringMatching(/^whsec_/) },
    });
    expect(registry.recorder.events).toHaveLength(before + 3);
    expect((await registry.call('GET', '/v1/targets/ap-2')).status).toBe(200);

    const again = await registry.call('POST', '/v1/apply', body);
    expect(again.body).toMatchObject({ created: [], updated: [], unchanged: dry.body.created, secrets: {} });
    expect(registry.recorder.events).toHaveLength(before + 3);

    const changed = structuredClone(body);
    changed.targets[1]!.check = { ...CHECK, url: 'https://other.example/' };
    expect((await registry.call('POST', '/v1/apply', changed)).body).toMatchObject({ updated: ['target/ap-2'] });
  });

  it('records nothing if one part is wrong, and names every fault', async () => {
    const before = registry.recorder.events.length;
    const answer = await registry.call('POST', '/v1/apply', {
      targets: [
        { name: 'new-1', kind: 'node', check: CHECK },
        { name: 'new-1', kind: 'node', parent: 'new-1', check: CHECK },
      ],
      subscriptions: [
        { name: 'new-s', types: ['*'], destination: { kind: 'webhook', url: 'http://169.254.169.254/' } },
      ],
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/targets/1/name',
      '/subscriptions/0/destination/url',
      '/targets/1/parent',
    ]);
    expect(registry.recorder.events).toHaveLength(before);
    expect((await registry.call('GET', '/v1/targets/new-1')).status).toBe(404);
  });

  it('declares thousands at once', async () => {
    const targets = Array.from({ length: 2_500 }, (_, n) => ({ name: `many-${n}`, kind: 'node', check: CHECK }));
    const done = await registry.call('POST', '/v1/apply', { targets });
    expect(done.status).toBe(200);
    expect(done.body.created).toHaveLength(2_500);
    const again = await registry.call('POST', '/v1/apply', { targets });
    expect(again.body.unchanged).toHaveLength(2_500);
  });
});

describe('an Idempotency-Key', () => {
  const body = { types: ['*'], destination: { kind: 'webhook', url: HOOK } };

  it('makes a repeat be answered as the first was, with the secret that is shown once', async () => {
    const before = registry.recorder.events.length;
    const key = { 'idempotency-key': 'k-1' };
    const path = '/v1/subscriptions/once';
    const first = await registry.call('PUT', path, body, key);
    expect(first.status).toBe(201);
    const second = await registry.call('PUT', path, body, key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(second.headers.get('idempotent-replayed')).toBe('true');

    const rotation = { 'idempotency-key': 'k-2' };
    const one = await registry.call('POST', `${path}/rotate-secret`, {}, rotation);
    const two = await registry.call('POST', `${path}/rotate-secret`, {}, rotation);
    expect(two.body).toEqual(one.body);
    expect(one.body.secret).not.toBe(first.body.secret);
    expect(registry.recorder.events).toHaveLength(before + 2);

    const removal = { 'idempotency-key': 'k-3' };
    expect((await registry.call('DELETE', path, undefined, removal)).status).toBe(204);
    expect((await registry.call('DELETE', path, undefined, removal)).status).toBe(204);
    const rows = await database.query(`SELECT encode(envelope, 'escape') AS text FROM registry.answer`);
    expect(rows).toHaveLength(3);
    expect(JSON.stringify(rows)).not.toContain('whsec_');
  });

  it('is for one request only, has one effect under a race, and forgets what was refused', async () => {
    const key = { 'idempotency-key': 'k-4' };
    const path = '/v1/targets/once';
    const refused = await registry.call('PUT', path, { kind: 'node', check: { ...CHECK, x: 1 } }, key);
    expect(refused.status).toBe(422);
    const answers = await Promise.all(
      [1, 2, 3].map(() => registry.call('PUT', path, { kind: 'node', check: CHECK }, key)),
    );
    expect(answers.map(({ status }) => status)).toContain(201);
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(eventsOf('target/once')).toHaveLength(1);
    const other = await registry.call('PUT', path, { kind: 'gateway', check: CHECK }, key);
    expect(other).toMatchObject({ status: 409, body: { code: 'TCN_CONFLICT' } });
    const wrong = await registry.call('PUT', path, { kind: 'node', check: CHECK }, { 'idempotency-key': 'a b' });
    expect(wrong.status).toBe(422);
  });
});

describe('access', () => {
  it('is refused without a key', async () => {
    expect((await fetch(`${registry.url}/v1/targets`)).status).toBe(401);
  });
});
