import {
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
} from '@grpc/grpc-js';
import { packageDefinition } from '@tocsin/grpc-contracts';
import { ApiDocument, createLogger, type Role, ROLES, roleSatisfies, type ServedCall } from '@tocsin/platform';
import { testFolder } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standaloneConfig } from './standalone-config.js';
import { type Standalone, startStandalone } from './standalone.js';

/**
 * Who may make which call over gRPC: the least role. It stands here a second time on purpose: a call that is not in it, or a mark at a call
 * that says otherwise, fails. HTTP's table is in `api.int.spec.ts`.
 */
const ACCESS: Readonly<Record<string, Role>> = {
  'EventLog/Append': 'producer',
  'EventLog/Read': 'viewer',
  'EventLog/Tail': 'viewer',
  'SubscriptionRegistry/ListTargets': 'viewer',
  'SubscriptionRegistry/GetTarget': 'viewer',
  'SubscriptionRegistry/PutTarget': 'editor',
  'SubscriptionRegistry/PatchTarget': 'editor',
  'SubscriptionRegistry/DeleteTarget': 'editor',
  'SubscriptionRegistry/RotateToken': 'editor',
  'SubscriptionRegistry/ListSubscriptions': 'viewer',
  'SubscriptionRegistry/GetSubscription': 'viewer',
  'SubscriptionRegistry/PutSubscription': 'editor',
  'SubscriptionRegistry/PatchSubscription': 'editor',
  'SubscriptionRegistry/DeleteSubscription': 'editor',
  'SubscriptionRegistry/RotateSecret': 'editor',
  'SubscriptionRegistry/PauseSubscription': 'editor',
  'SubscriptionRegistry/ResumeSubscription': 'editor',
  'SubscriptionRegistry/ReplaySubscription': 'editor',
  'SubscriptionRegistry/ListMaintenance': 'viewer',
  'SubscriptionRegistry/GetMaintenance': 'viewer',
  'SubscriptionRegistry/PutMaintenance': 'editor',
  'SubscriptionRegistry/DeleteMaintenance': 'editor',
  'SubscriptionRegistry/ListKeys': 'admin',
  'SubscriptionRegistry/GetKey': 'admin',
  'SubscriptionRegistry/PutKey': 'admin',
  'SubscriptionRegistry/DeleteKey': 'admin',
};

const DENIED: readonly number[] = [status.UNAUTHENTICATED, status.PERMISSION_DENIED];
const STRANGER = `tcn_${'a'.repeat(16)}_${'b'.repeat(43)}`;
const TARGET = { kind: 'node', check: { type: 'tcp', host: '127.0.0.1', port: 9, interval: '1h' } };

interface Failure extends Error {
  code: number;
  details: string;
}

// Answers of every shape; a wrong guess fails the test.
// oxlint-disable-next-line typescript/no-explicit-any
type Reply = any;

type Method = (
  request: object,
  metadata: Metadata,
  done?: (error: Failure | null, reply: Reply) => void,
) => ClientReadableStream<Reply>;

let standalone: Standalone;
let calls: ServedCall[];
let services: Record<string, Client>;

beforeAll(async () => {
  standalone = await startStandalone({
    config: standaloneConfig.parse({
      TOCSIN_DATA_DIR: await testFolder(),
      TOCSIN_HTTP_PORT: '0',
      TOCSIN_GRPC_PORT: '0',
    }),
    logger: createLogger({ name: 'spec', level: 'silent', format: 'json' }),
    say: () => undefined,
  });
  calls = standalone.app.get(ApiDocument, { strict: false }).calls();
  const { tocsin } = loadPackageDefinition(packageDefinition()) as unknown as {
    tocsin: { v1: Record<string, new (address: string, secret: object) => Client> };
  };
  services = Object.fromEntries(
    ['EventLog', 'SubscriptionRegistry'].map((name) => [
      name,
      new tocsin.v1[name]!(standalone.grpcAddress, credentials.createInsecure()),
    ]),
  );
}, 180_000);

afterAll(async () => {
  for (const service of Object.values(services ?? {})) service.close();
  await standalone?.stop();
});

async function http(method: string, path: string, key: string | undefined, body?: unknown) {
  const response = await fetch(`${standalone.url}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text.startsWith('{') ? JSON.parse(text) : text) as Reply };
}

async function newKey(name: string, spec: object): Promise<string> {
  const { status: code, body } = await http('PUT', `/v1/keys/${name}`, standalone.apiKey, spec);
  expect(code).toBe(201);
  return body.key;
}

function withKey(key: string | undefined): Metadata {
  const metadata = new Metadata();
  if (key !== undefined) metadata.set('authorization', `Bearer ${key}`);
  return metadata;
}

/** A method of a client, found by the name it has in the proto file. */
function methodOf(name: string): Method {
  const [service = '', method = ''] = name.split('/');
  const client = services[service] as unknown as Record<string, Method>;
  const camel = method.charAt(0).toLowerCase() + method.slice(1);
  return (...call) => client[camel]!(...call);
}

/** A unary call, or the first step of a stream. */
function grpc(name: string, key: string | undefined, request: object = {}): Promise<Reply> {
  const call = methodOf(name);
  return new Promise((resolve, reject) => {
    if (name !== 'EventLog/Tail') {
      call(request, withKey(key), (error, reply) => (error === null ? resolve(reply) : reject(error)));
      return;
    }
    const stream = call({ after: 0 }, withKey(key));
    stream.once('error', reject);
    stream.once('data', (step) => {
      resolve(step);
      stream.cancel();
    });
  });
}

describe('calls over gRPC', () => {
  it('are all marked, as the table says', () => {
    expect(calls.filter(({ declared }) => !declared)).toEqual([]);
    const marked = calls.map(({ service, method, roles }): [string, unknown] => [`${service}/${method}`, roles?.[0]]);
    expect(Object.fromEntries(marked)).toEqual(ACCESS);
  });

  it('are all that the API has', () => {
    const described = Object.entries(services).flatMap(([name, client]) =>
      Object.values(
        (client.constructor as unknown as { service: object }).service as Record<string, { path: string }>,
      ).map(({ path }) => `${name}/${path.split('/')[2]}`),
    );
    expect(Object.keys(ACCESS).toSorted()).toEqual(described.toSorted());
  });

  describe('let in whom the table says', () => {
    const keys = new Map<Role, string>();

    beforeAll(async () => {
      for (const role of ROLES) keys.set(role, await newKey(`grpc-${role}`, { role, rate: { perSecond: 100_000 } }));
    });

    it.each(Object.entries(ACCESS))('%s: %s', async (name, least) => {
      // A name that nothing has: whoever is let in changes nothing.
      const refused = (key: string | undefined) =>
        grpc(name, key, { name: 'nothing-has-this-name' }).then(
          () => 'let in',
          (error: unknown) => {
            const { code } = error as Failure;
            return DENIED.includes(code) ? code : 'let in';
          },
        );
      const outcomes: Record<string, unknown> = {};
      const expected: Record<string, unknown> = {};
      for (const role of ROLES) {
        outcomes[role] = await refused(keys.get(role));
        expected[role] = roleSatisfies(role, [least]) ? 'let in' : status.PERMISSION_DENIED;
      }
      for (const [who, key] of [
        ['nobody', undefined],
        ['a stranger', STRANGER],
      ] as const) {
        outcomes[who] = await refused(key);
        expected[who] = status.UNAUTHENTICATED;
      }
      expect(outcomes).toEqual(expected);
    });
  });
});

describe('a key that is revoked', () => {
  it('stops working within two seconds everywhere, and ends the streams it has opened', async () => {
    const key = await newKey('brief', { role: 'viewer' });
    const authorization = `Bearer ${key}`;
    const sse = await fetch(`${standalone.url}/v1/events/stream`, { headers: { authorization } });
    expect(sse.status).toBe(200);
    const sseEnded = sse.text();
    const tail = methodOf('EventLog/Tail')({ after: 0 }, withKey(key));
    const tailEnded = new Promise<Failure>((resolve) => {
      tail.on('error', (error) => resolve(error as Failure));
      tail.resume();
    });
    expect((await http('GET', '/v1/targets', key)).status).toBe(200);
    await grpc('SubscriptionRegistry/ListTargets', key);

    const since = performance.now();
    expect((await http('DELETE', '/v1/keys/brief', standalone.apiKey)).status).toBe(204);
    expect((await http('GET', '/v1/targets', key)).status).toBe(401);
    await expect(grpc('SubscriptionRegistry/ListTargets', key)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    await expect(grpc('EventLog/Tail', key)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    expect(await tailEnded).toMatchObject({ code: status.UNAUTHENTICATED });
    await sseEnded;
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  it('loses what its role loses: a stream ends with the role that allowed it', async () => {
    const key = await newKey('demoted', { role: 'viewer' });
    const sse = await fetch(`${standalone.url}/v1/events/stream`, { headers: { authorization: `Bearer ${key}` } });
    const ended = sse.text();
    const since = performance.now();
    await http('PUT', '/v1/keys/demoted', standalone.apiKey, { role: 'producer' });
    await ended;
    expect(performance.now() - since).toBeLessThan(2_000);
  });
});

describe('a key with a scope', () => {
  let editor: string;
  let producer: string;

  beforeAll(async () => {
    editor = await newKey('team-a', { role: 'editor', labels: { team: 'a' }, rate: { perSecond: 100_000 } });
    producer = await newKey('team-a-app', { role: 'producer', labels: { team: 'a' } });
    const put = (path: string, body: object) => http('PUT', path, standalone.apiKey, body);
    const destination = { kind: 'webhook', url: 'http://127.0.0.1:9/' };
    for (const team of ['a', 'b']) {
      const labels = { team, role: 'edge' };
      await put(`/v1/targets/of-${team}`, { ...TARGET, labels });
      await put(`/v1/subscriptions/of-${team}`, { types: ['com.acme.none'], labels, destination });
      const window = { start: '2030-01-01T00:00:00Z', end: '2030-01-01T01:00:00Z', selector: labels };
      await put(`/v1/maintenance/of-${team}`, window);
    }
  });

  const names = (items: { name: string }[]) => items.map(({ name }) => name);

  it.each(['targets', 'subscriptions', 'maintenance'])('finds and lists its own %s, and no others', async (kind) => {
    expect(names((await http('GET', `/v1/${kind}`, editor)).body.items)).toEqual(['of-a']);
    expect((await http('GET', `/v1/${kind}/of-a`, editor)).status).toBe(200);
    expect((await http('GET', `/v1/${kind}/of-b`, editor)).body.code).toBe('TCN_NOT_FOUND');
    expect((await http('DELETE', `/v1/${kind}/of-b`, editor)).body.code).toBe('TCN_NOT_FOUND');
    const listed = await grpc(`SubscriptionRegistry/List${kind.charAt(0).toUpperCase()}${kind.slice(1)}`, editor);
    expect(names(listed[kind])).toEqual(['of-a']);
    const one = kind.charAt(0).toUpperCase() + kind.slice(1).replace(/s$/, '');
    await expect(grpc(`SubscriptionRegistry/Get${one}`, editor, { name: 'of-b' })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it('does not get to others by a selector, a patch, a rotation or a replay', async () => {
    expect((await http('GET', '/v1/targets?labels=team=b', editor)).body.items).toEqual([]);
    const patched = await http('PATCH', '/v1/targets/of-b', editor, { labels: { team: 'a' } });
    expect(patched.body.code).toBe('TCN_NOT_FOUND');
    for (const action of ['rotate-secret', 'pause', 'resume']) {
      expect((await http('POST', `/v1/subscriptions/of-b/${action}`, editor)).body.code).toBe('TCN_NOT_FOUND');
    }
    const replay = await http('POST', '/v1/subscriptions/of-b/replay', editor, { from: { position: 0 } });
    expect(replay.body.code).toBe('TCN_NOT_FOUND');
  });

  it('declares nothing outside of it, and is told which label is missing', async () => {
    const outside = await http('PUT', '/v1/targets/new', editor, { ...TARGET, labels: { team: 'b' } });
    expect(outside).toMatchObject({
      status: 403,
      body: {
        code: 'TCN_FORBIDDEN',
        errors: [{ pointer: '/labels/team', detail: 'must be "a": this key is for team=a only' }],
      },
    });
    expect((await http('PATCH', '/v1/targets/of-a', editor, { labels: { team: null } })).status).toBe(403);
    const taken = await http('PUT', '/v1/targets/of-b', editor, { ...TARGET, labels: { team: 'a' } });
    expect(taken).toMatchObject({ status: 409, body: { code: 'TCN_CONFLICT', errors: [{ pointer: '/name' }] } });
    const window = { start: '2030-01-01T00:00:00Z', end: '2030-01-01T01:00:00Z' };
    expect((await http('PUT', '/v1/maintenance/all', editor, window)).body.errors).toMatchObject([
      { pointer: '/selector/team' },
    ]);
    const apply = await http('POST', '/v1/apply', editor, { targets: [{ name: 'new', ...TARGET }] });
    expect(apply.body).toMatchObject({ code: 'TCN_FORBIDDEN', errors: [{ pointer: '/targets/0/labels/team' }] });
    const message = { kind: 'TARGET_KIND_NODE', check: { tcp: { host: '127.0.0.1', port: 9 } } };
    const refused = grpc('SubscriptionRegistry/PutTarget', editor, { name: 'new', target: message });
    await expect(refused).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect((await http('GET', '/v1/targets/new', standalone.apiKey)).status).toBe(404);
    expect((await http('PUT', '/v1/targets/new-a', editor, { ...TARGET, labels: { team: 'a' } })).status).toBe(201);
  });

  it('prunes only what is in it', async () => {
    const labels = { team: 'a' };
    const apply = (key: string, body: object) => http('POST', '/v1/apply', key, { owner: 'both', ...body });
    const both = [
      { name: 'mine', ...TARGET, labels },
      { name: 'theirs', ...TARGET, labels: { team: 'b' } },
    ];
    expect((await apply(standalone.apiKey, { targets: both })).status).toBe(200);
    expect((await apply(editor, { prune: true })).body).toMatchObject({ deleted: ['target/mine'] });
    expect((await http('GET', '/v1/targets/theirs', standalone.apiKey)).status).toBe(200);
  });

  it('appends and reads only events that carry its labels', async () => {
    const event = (id: string, data: object) => ({
      specversion: '1.0',
      id,
      source: 'urn:app',
      type: 'com.acme.deployed',
      data,
    });
    const sent = async (id: string, data: object) => {
      const answer = await http('POST', '/v1/events', producer, event(id, data));
      return [answer.status, answer.body.errors?.[0].pointer];
    };
    expect(await sent('1', { labels: { team: 'a' } })).toEqual([201, undefined]);
    expect(await sent('2', { labels: { team: 'b' } })).toEqual([403, '/data/labels/team']);
    expect(await sent('3', {})).toEqual([403, '/data/labels/team']);
    const foreign = await http('POST', '/v1/events', standalone.apiKey, event('4', { labels: { team: 'b' } }));
    expect(foreign.status).toBe(201);

    const { events } = (await http('GET', '/v1/events?limit=1000', editor)).body;
    expect(events.length).toBeGreaterThan(1);
    for (const one of events) expect(one.data.labels).toMatchObject({ team: 'a' });
    const [{ position }] = foreign.body.events;
    expect((await http('GET', `/v1/events/${position}`, editor)).status).toBe(404);
    const read = await grpc('EventLog/Read', editor, { after: 0, limit: 1000 });
    expect(read.events.map(({ id }: { id: string }) => id)).toEqual(events.map(({ id }: { id: string }) => id));
    const stream = await fetch(`${standalone.url}/v1/events/stream?after=0&type=com.acme.*`, {
      headers: { authorization: `Bearer ${editor}` },
    });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    const { value = '' } = await reader.read();
    expect(value).toContain('"team":"a"');
    expect(value).not.toContain('"team":"b"');
    await reader.cancel();
  });

  it('sees the deliveries of its own subscriptions, one subscription at a time', async () => {
    expect(await http('GET', '/v1/deliveries?subscription=of-a', editor)).toMatchObject({
      status: 200,
      body: { items: [] },
    });
    expect((await http('GET', '/v1/deliveries?subscription=of-b', editor)).status).toBe(404);
    expect(await http('GET', '/v1/deliveries', editor)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/subscription' }] },
    });
    expect((await http('GET', '/v1/deliveries/parked', editor)).body).toEqual({ items: [] });
    for (const path of ['/v1/deliveries/1-of-b/retry', '/v1/deliveries/retry']) {
      expect((await http('POST', path, editor, { subscription: 'of-b' })).status).toBe(404);
    }
    expect((await http('POST', '/v1/deliveries/retry', editor, { subscription: 'of-a' })).body).toEqual({ retried: 0 });
  });

  it('is refused by every call that has no notion of it, and by no other', async () => {
    const routes = standalone.app.get(ApiDocument, { strict: false }).routes();
    const open = routes.filter(({ roles }) => roles !== undefined && roleSatisfies('editor', roles));
    const outcomes = new Map<string, boolean>();
    for (const { method, path, scoped } of open) {
      const gone = new AbortController();
      const response = await fetch(`${standalone.url}${path.replace(/\{\w+\}/g, 'nothing-has-this-name')}`, {
        ...{ method, signal: gone.signal },
        headers: { authorization: `Bearer ${editor}` },
      });
      outcomes.set(`${method} ${path}`, (response.status === 403) !== scoped);
      gone.abort();
    }
    expect([...outcomes].filter(([, asMarked]) => !asMarked)).toEqual([]);
    expect(outcomes.get('GET /v1/targets')).toBe(true);
  });

  it('cannot be an admin’s', async () => {
    const refused = await http('PUT', '/v1/keys/odd', standalone.apiKey, { role: 'admin', labels: { team: 'a' } });
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/labels' }] } });
  });
});
