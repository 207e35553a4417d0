import type { RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningRegistry, Servers } from './testing/registry-harness.js';
import { StandInRecorder } from './testing/stand-in-recorder.js';

const CHECK = { type: 'http', url: 'https://edge.example.net/healthz' };
const HOOK = 'https://hooks.example.net/T0/B0/s3cr3t?k=v';

let servers: Servers;
let broker: Broker;
let recorder: StandInRecorder;
let registry: RunningRegistry;
let database: Database;

beforeAll(async () => {
  servers = await Servers.start();
  broker = await servers.connect('recorder');
  recorder = new StandInRecorder(broker);
  recorder.start();
  registry = await servers.registry();
  await registry.ready();
  database = await servers.database();
});

afterAll(async () => {
  await database?.close();
  await registry?.close();
  await recorder?.stop();
  await broker?.close();
  await servers?.stop();
});

function eventsOf(subject: string): RecordedEvent[] {
  return recorder.events.filter((event) => event.subject === subject);
}

describe('the life of a target', () => {
  it('is created, read, replaced, left unchanged, patched, removed and declared again', async () => {
    const path = '/v1/targets/edge-fra-17';
    const created = await registry.call('PUT', path, { kind: 'node', labels: { site: 'fra' }, check: CHECK });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(path);
    expect(created.body).toMatchObject({
      name: 'edge-fra-17',
      kind: 'node',
      state: 'pending',
      labels: { site: 'fra' },
    });
    expect(created.body.check).toMatchObject({ interval: '10s', failures: 2 });
    expect(created.headers.get('etag')).toBe(`"${created.body.revision}"`);

    const read = await registry.call('GET', path);
    expect(read.body).toEqual(created.body);
    expect(read.headers.get('etag')).toBe(created.headers.get('etag'));

    const again = await registry.call('PUT', path, { kind: 'node', labels: { site: 'fra' }, check: CHECK });
    expect(again.status).toBe(200);
    expect(again.body.revision).toBe(created.body.revision);
    expect(eventsOf('target/edge-fra-17')).toHaveLength(1);

    const replaced = await registry.call('PUT', path, {
      name: 'edge-fra-17',
      kind: 'node',
      check: { ...CHECK, interval: '30s' },
    });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ labels: {}, check: { interval: '30s' }, createdAt: created.body.createdAt });
    expect(replaced.body.revision).toBeGreaterThan(created.body.revision);

    const patched = await registry.call(
      'PATCH',
      path,
      { labels: { role: 'edge' }, check: { interval: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ labels: { role: 'edge' }, check: { interval: '10s', url: CHECK.url } });

    expect((await registry.call('DELETE', path)).status).toBe(204);
    expect((await registry.call('GET', path)).status).toBe(404);
    expect((await registry.call('DELETE', path)).body).toMatchObject({ code: 'TCN_NOT_FOUND', status: 404 });

    expect((await registry.call('PUT', path, { kind: 'node', check: CHECK })).status).toBe(201);
    expect(eventsOf('target/edge-fra-17').map(({ type, version }) => [type, version])).toEqual([
      ['io.tocsin.target.registered', 1],
      ['io.tocsin.target.updated', 2],
      ['io.tocsin.target.updated', 3],
      ['io.tocsin.target.removed', 4],
      ['io.tocsin.target.registered', 5],
    ]);
    expect(eventsOf('target/edge-fra-17')[0]).toMatchObject({
      source: 'tocsin/subscription-registry',
      data: { name: 'edge-fra-17', actor: 'bootstrap', spec: { kind: 'node', labels: { site: 'fra' } } },
    });
  });

  it('shows what the observers said last', async () => {
    await registry.call('PUT', '/v1/targets/gw-1', { kind: 'gateway', check: CHECK });
    recorder.append({
      events: [
        {
          id: 'evt_down',
          source: 'tocsin/health-probe',
          type: 'io.tocsin.gateway.offline',
          subject: 'gateway/gw-1',
          time: '2030-01-01T00:00:00.000Z',
          extensions: { episode: 'ep_1' },
          data: {
            target: 'gw-1',
            kind: 'gateway',
            labels: {},
            from: 'up',
            to: 'down',
            reason: 'no answer',
            confidence: 'single',
            evidence: [],
            confirmedAt: '2030-01-01T00:00:02.000Z',
            detectionMs: 2000,
          },
        },
        {
          id: 'evt_fresh',
          source: 'tocsin/health-probe',
          type: 'io.tocsin.target.fresh',
          subject: 'target/gw-1',
          time: '2029-01-01T00:00:00.000Z',
          data: { name: 'other', kind: 'gateway', to: 'up' },
        },
      ],
    });
    // The fresh event moved the subject on; the next write of the registry notices and goes on from there.
    const patched = await registry.call('PATCH', '/v1/targets/gw-1', { labels: { a: 'b' } });
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ state: 'down', stateSince: '2030-01-01T00:00:00.000Z', episode: 'ep_1' });
  });
});

describe('a target that is removed and declared again', () => {
  const verdict = (name: string, to: string, id: string) =>
    recorder.append({
      events: [
        {
          id,
          source: 'tocsin/health-probe',
          type: to === 'up' ? 'io.tocsin.node.online' : 'io.tocsin.node.offline',
          subject: `node/${name}`,
          time: '2030-01-01T00:00:00.000Z',
          data: {
            target: name,
            kind: 'node',
            labels: {},
            from: 'pending',
            to,
            reason: 'r',
            confidence: 'single',
            evidence: [],
            confirmedAt: '2030-01-01T00:00:02.000Z',
            detectionMs: 2000,
          },
        },
      ],
    });

  it.each([
    ['up', 'pending'],
    ['down', 'pending'],
  ])('after it was %s is %s', async (before, after) => {
    const path = `/v1/targets/again-${before}`;
    await registry.call('PUT', path, { kind: 'node', check: CHECK });
    verdict(`again-${before}`, before, `evt_again_${before}`);
    // An own write comes back after the verdict was projected.
    expect((await registry.call('PATCH', path, { labels: { a: 'b' } })).body.state).toBe(before);
    await registry.call('DELETE', path);
    expect((await registry.call('PUT', path, { kind: 'node', check: CHECK })).body.state).toBe(after);
  });
});

describe('the life of a subscription', () => {
  const path = '/v1/subscriptions/ops-chat';
  const body = {
    destination: { kind: 'webhook', url: HOOK, headers: { 'x-token': 'hush' } },
    types: ['io.tocsin.*.offline'],
  };

  it('shows its signing secret once and keeps everything secret out of log, answers and tables', async () => {
    const created = await registry.call('PUT', path, body);
    expect(created.status).toBe(201);
    expect(created.body.secret).toMatch(/^whsec_/);
    expect(created.body.destination).toEqual({
      kind: 'webhook',
      url: 'https://hooks.example.net/…',
      headers: { 'x-token': '***' },
    });
    const read = await registry.call('GET', path);
    expect(read.body).not.toHaveProperty('secret');
    const list = await registry.call('GET', '/v1/subscriptions');
    const tables = await database.query(
      `SELECT (SELECT json_agg(s)::text FROM registry.subscription s) AS a, (SELECT json_agg(encode(envelope, 'escape'))::text FROM registry.sealed) AS b`,
    );
    for (const text of [
      JSON.stringify(read.body),
      JSON.stringify(list.body),
      JSON.stringify(recorder.events),
      JSON.stringify(tables),
    ]) {
      for (const secret of ['s3cr3t', 'hush', created.body.secret]) expect(text).not.toContain(secret);
    }
  });

  it('takes back what it shows, and looks into the seal to see whether anything changed', async () => {
    const before = recorder.events.length;
    const shown = (await registry.call('GET', path)).body;
    const sent = { destination: shown.destination, types: shown.types, labels: shown.labels, order: shown.order };
    expect(await registry.call('PUT', path, sent)).toMatchObject({ status: 200, body: { revision: shown.revision } });
    expect(await registry.call('PUT', path, body)).toMatchObject({ status: 200, body: { revision: shown.revision } });
    expect(recorder.events).toHaveLength(before);

    const other = await registry.call('PUT', path, { ...body, destination: { ...body.destination, url: `${HOOK}2` } });
    expect(other.status).toBe(200);
    expect(other.body.revision).toBeGreaterThan(shown.revision);
    expect(other.body).not.toHaveProperty('secret');
    expect(other.body.destination.url).toBe('https://hooks.example.net/…');
  });

  it('does not take hidden values along to another host', async () => {
    const answer = await registry.call('PATCH', path, { destination: { url: 'https://attacker.example/T0' } });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/destination/headers/x-token' }] } });
  });

  it('erases superseded seals, and all of them on removal', async () => {
    const seals = () => database.query(`SELECT ref FROM registry.sealed WHERE subscription = 'ops-chat'`);
    expect(await seals()).toHaveLength(1);
    expect((await registry.call('DELETE', path)).status).toBe(204);
    expect(await seals()).toHaveLength(0);
    const again = await registry.call('PUT', path, body);
    expect(again.status).toBe(201);
    expect(again.body.secret).toMatch(/^whsec_/);
  });

  it.each([
    ['a blocked address', { url: 'http://169.254.169.254/latest' }, 'TCN_EGRESS_BLOCKED', '/destination/url'],
    [
      'a private address outside the policy',
      { url: 'https://192.168.0.1/x' },
      'TCN_EGRESS_BLOCKED',
      '/destination/url',
    ],
    ['the same, with credentials', { url: 'https://u:p@169.254.169.254/' }, 'TCN_EGRESS_BLOCKED', '/destination/url'],
    ['no URL', { url: 'hooks' }, 'TCN_INVALID', '/destination/url'],
    ['a redacted URL that stands for nothing', { url: 'https://a.example/…' }, 'TCN_INVALID', '/destination/url'],
    [
      'a reserved header',
      { url: HOOK, headers: { 'Webhook-Id': 'x' } },
      'TCN_INVALID',
      '/destination/headers/Webhook-Id',
    ],
    ['an unknown field', { url: HOOK, urls: [] }, 'TCN_INVALID', '/destination/urls'],
  ])('refuses %s', async (_what, destination, code, pointer) => {
    const answer = await registry.call('PUT', '/v1/subscriptions/never', {
      ...body,
      destination: { kind: 'webhook', ...destination },
    });
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body.code).toBe(code);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect((await registry.call('GET', '/v1/subscriptions/never')).status).toBe(404);
  });
});

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
    const before = recorder.events.length;
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
    expect(recorder.events).toHaveLength(before);

    await registry.call('PUT', path, { kind: 'node', check: CHECK });
    const patched = await registry.call('PATCH', `${path}?dryRun=true`, { labels: { a: 'b' } });
    expect(patched.headers.get('tocsin-dry-run')).toBe('updated');
    expect(patched.body.labels).toEqual({ a: 'b' });
    expect((await registry.call('GET', path)).body.labels).toEqual({});
    expect((await registry.call('DELETE', `${path}?dryRun=true`)).status).toBe(204);
    expect((await registry.call('GET', path)).status).toBe(200);
    expect((await registry.call('POST', '/v1/apply?dryRun=true', {})).status).toBe(422);
    expect(recorder.events).toHaveLength(before + 1);
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

describe('validation of a target', () => {
  it.each([
    ['no body', undefined, ''],
    ['an unknown field', { kind: 'node', check: CHECK, colour: 'red' }, '/colour'],
    ['an unknown field of the check', { kind: 'node', check: { ...CHECK, url2: 'x' } }, '/check/url2'],
    ['a duration that is none', { kind: 'node', check: { ...CHECK, interval: '10' } }, '/check/interval'],
    ['an unknown kind', { kind: 'toaster', check: CHECK }, '/kind'],
    ['another name than the path', { name: 'b', kind: 'node', check: CHECK }, '/name'],
    ['itself as parent', { kind: 'node', parent: 'bad', check: CHECK }, '/parent'],
    ['a list', [], ''],
  ])('refuses %s', async (_what, body, pointer) => {
    const answer = await registry.call('PUT', '/v1/targets/bad', body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'TCN_INVALID', errors: [{ pointer }] } });
  });

  it('refuses a name that cannot be one', async () => {
    const answer = await registry.call('PUT', '/v1/targets/Bad_Name', { kind: 'node', check: CHECK });
    expect(answer).toMatchObject({ status: 422, body: { code: 'TCN_INVALID' } });
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
    const before = recorder.events.length;
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
    expect(recorder.events).toHaveLength(before);

    const done = await registry.call('POST', '/v1/apply', body);
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({
      created: dry.body.created,
      secrets: { 'ap-s': expect.stringMatching(/^whsec_/) },
    });
    expect(recorder.events).toHaveLength(before + 3);
    expect((await registry.call('GET', '/v1/targets/ap-2')).status).toBe(200);

    const again = await registry.call('POST', '/v1/apply', body);
    expect(again.body).toMatchObject({ created: [], updated: [], unchanged: dry.body.created, secrets: {} });
    expect(recorder.events).toHaveLength(before + 3);

    const changed = structuredClone(body);
    changed.targets[1]!.check = { ...CHECK, url: 'https://other.example/' };
    expect((await registry.call('POST', '/v1/apply', changed)).body).toMatchObject({ updated: ['target/ap-2'] });
  });

  it('records nothing if one part is wrong, and names every fault', async () => {
    const before = recorder.events.length;
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
    expect(recorder.events).toHaveLength(before);
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
    const before = recorder.events.length;
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
    expect(recorder.events).toHaveLength(before + 2);

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
