import { status } from '@grpc/grpc-js';
import { eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, startStage } from '../registry.harness.js';
import { type GrpcFailure, RegistryClient } from './registry-client.harness.js';

let registry: Stage;
let client: RegistryClient;

beforeAll(async () => {
  registry = await startStage();
  client = new RegistryClient(registry.grpcAddress);
});

afterAll(async () => {
  client?.close();
  await registry?.close();
});

const HTTP_CHECK = {
  http: { url: 'https://edge.example.net/healthz', interval: '1h', expect: { status: ['2xx', '304'] } },
};
const TARGET = { kind: 'TARGET_KIND_NODE', labels: { site: 'fra' }, check: HTTP_CHECK };
const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: {
    webhook: {
      url: 'https://hooks.example.net/a/b',
      auth: { basic: { username: 'u', password: 'p' } },
      format: { template: { structValue: { fields: { text: { stringValue: '${event.type}' } } } } },
    },
  },
  from: { position: 0 },
  retry: { schedule: [] },
};

const failure = (promise: Promise<unknown>): Promise<GrpcFailure> =>
  promise.then(
    () => expect.fail('it was answered'),
    (error: unknown) => error as GrpcFailure,
  );

/** What stands beside the status, as text: enough to see names and sentences. */
const detailsOf = ({ metadata }: GrpcFailure) => String(metadata.get('grpc-status-details-bin')[0]);

describe('targets', () => {
  it('are declared, shown as HTTP shows them, left as they are, patched, listed and deleted', async () => {
    const made = await client.call('putTarget', { name: 'edge-1', target: TARGET });
    expect(made).toMatchObject({
      outcome: 'OUTCOME_CREATED',
      target: { name: 'edge-1', state: 'ANNOUNCED_STATE_PENDING' },
    });
    const shown = await registry.call('GET', '/v1/targets/edge-1');
    expect(shown.body).toMatchObject({
      kind: 'node',
      labels: { site: 'fra' },
      check: {
        type: 'http',
        method: 'GET',
        interval: '1h',
        timeout: '2s',
        tlsVerify: true,
        expect: { status: ['2xx', '304'] },
      },
      revision: made.target.revision,
    });
    expect(await client.call('putTarget', { name: 'edge-1', target: made.target })).toMatchObject({
      outcome: 'OUTCOME_UNCHANGED',
    });

    const patch = { fields: { labels: { structValue: { fields: { role: { stringValue: 'edge' } } } } } };
    const patched = await client.call('patchTarget', { name: 'edge-1', patch, expectedRevision: made.target.revision });
    expect(patched).toMatchObject({ outcome: 'OUTCOME_UPDATED', target: { labels: { site: 'fra', role: 'edge' } } });

    await client.call('putTarget', { name: 'edge-2', target: TARGET });
    const page = await client.call('listTargets', { limit: 1 });
    expect([page.targets.map(({ name }: { name: string }) => name), page.next]).toEqual([
      ['edge-1'],
      expect.any(String),
    ]);
    const rest = await client.call('listTargets', { cursor: page.next });
    expect([rest.targets.map(({ name }: { name: string }) => name), rest.next]).toEqual([['edge-2'], '']);
    expect((await client.call('listTargets', { labels: { role: 'edge' } })).targets).toHaveLength(1);

    expect(await client.call('deleteTarget', { name: 'edge-1' })).toEqual({});
    expect(await failure(client.call('getTarget', { name: 'edge-1' }))).toMatchObject({
      code: status.NOT_FOUND,
      details: expect.stringMatching(/^TCN_NOT_FOUND: /),
    });
  });

  it('that are heartbeats show their token once, and a new one when it is rotated', async () => {
    const target = { kind: 'TARGET_KIND_NODE', check: { heartbeat: { interval: '1m' } } };
    const made = await client.call('putTarget', { name: 'beats', target });
    expect(made.target).toMatchObject({
      token: expect.stringMatching(/^hb_/),
      check: { heartbeat: { interval: '1m', grace: '0s' } },
    });
    expect((await client.call('getTarget', { name: 'beats' })).target.token).toBeUndefined();
    const rotated = await client.call('rotateToken', { name: 'beats', overlap: '1m' });
    expect(rotated.target.token).toMatch(/^hb_/);
    expect(rotated.target.token).not.toBe(made.target.token);
    await client.call('deleteTarget', { name: 'beats' });
  });

  it('depend on the revision that was read', async () => {
    const fresh = { name: 'rev', target: TARGET, expectedRevision: 0 };
    const { target } = await client.call('putTarget', fresh);
    const conflict = { code: status.FAILED_PRECONDITION, details: expect.stringMatching(/^TCN_PRECONDITION_FAILED: /) };
    expect(await failure(client.call('putTarget', fresh))).toMatchObject(conflict);
    const stale = { name: 'rev', expectedRevision: target.revision + 1 };
    expect(await failure(client.call('deleteTarget', stale))).toMatchObject(conflict);
    await client.call('deleteTarget', { name: 'rev', expectedRevision: target.revision });
  });

  it('say in a dry run what would be, and record nothing', async () => {
    const before = registry.recorder.events.length;
    const dry = await client.call('putTarget', { name: 'dry', target: TARGET, dryRun: true });
    expect(dry).toMatchObject({ outcome: 'OUTCOME_CREATED', target: { name: 'dry', revision: 0 } });
    await client.call('deleteTarget', { name: 'edge-2', dryRun: true });
    await client.call('putMaintenance', {
      name: 'dry',
      maintenance: { start: '2030-01-01T00:00:00Z', end: '2030-01-01T01:00:00Z' },
      dryRun: true,
    });
    expect(registry.recorder.events).toHaveLength(before);
  });

  it('name every field at fault as the message has it', async () => {
    const target = { ...TARGET, kind: 0, check: { http: { url: 'nowhere', failures: 99 } } };
    const refused = await failure(client.call('putTarget', { name: 'bad', target }));
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringMatching(/^TCN_INVALID: /) });
    for (const field of [
      'target.kind',
      'target.check.http.url',
      'target.check.http.failures',
      'google.rpc.BadRequest',
    ]) {
      expect(detailsOf(refused)).toContain(field);
    }
    expect(detailsOf(await failure(client.call('putTarget', { name: 'No Name' })))).toContain('name');
    const patch = { fields: { kind: { stringValue: 'nothing' } } };
    expect(detailsOf(await failure(client.call('patchTarget', { name: 'edge-2', patch })))).toContain('patch.kind');
  });
});

describe('subscriptions', () => {
  it('say that delivery has given up on them, and why', async () => {
    const made = await client.call('putSubscription', { name: 'given-up', subscription: SUBSCRIPTION });
    const data = { name: 'given-up', reason: 'egress-blocked', position: 1, revision: made.subscription.revision };
    registry.recorder.append({
      events: [
        {
          id: 'evt_given_up',
          source: 'tocsin/delivery',
          type: 'io.tocsin.subscription.disabled',
          subject: 'subscription-health/given-up',
          time: '2030-01-01T00:00:00.000Z',
          data,
        },
      ],
    });
    await client.call('putSubscription', { name: 'after-that', subscription: SUBSCRIPTION });
    expect((await client.call('getSubscription', { name: 'given-up' })).subscription).toMatchObject({
      state: 'SUBSCRIPTION_STATE_DISABLED',
      disabled: { since: '2030-01-01T00:00:00.000Z', reason: 'egress-blocked' },
    });
    const resumed = await client.call('resumeSubscription', { name: 'given-up' });
    expect(resumed.subscription.state).toBe('SUBSCRIPTION_STATE_ACTIVE');
    for (const name of ['given-up', 'after-that']) await client.call('deleteSubscription', { name });
  });

  it('show their secret once, keep it over rotation, pause, resume, replay, and go', async () => {
    const made = await client.call('putSubscription', { name: 'ops', subscription: SUBSCRIPTION });
    expect(made.subscription).toMatchObject({
      secret: expect.stringMatching(/^whsec_/),
      state: 'SUBSCRIPTION_STATE_ACTIVE',
      destination: {
        webhook: { url: 'https://hooks.example.net/…', auth: { basic: { username: 'u', password: '***' } } },
      },
      from: { position: 0 },
      retry: { schedule: [] },
    });
    const shown = (await client.call('getSubscription', { name: 'ops' })).subscription;
    expect(shown.secret).toBeUndefined();
    expect((await registry.call('GET', '/v1/subscriptions/ops')).body).toMatchObject({
      delivery: 'every',
      destination: { kind: 'webhook', format: { template: { text: '${event.type}' } } },
      retry: { schedule: [] },
    });
    // What was shown, redacted, means what is there.
    expect(await client.call('putSubscription', { name: 'ops', subscription: shown })).toMatchObject({
      outcome: 'OUTCOME_UNCHANGED',
    });

    const rotated = await client.call('rotateSecret', { name: 'ops', overlap: '1h' });
    expect(rotated.subscription.secret).toMatch(/^whsec_/);
    expect(rotated.subscription.secret).not.toBe(made.subscription.secret);
    expect((await client.call('pauseSubscription', { name: 'ops' })).subscription.state).toBe(
      'SUBSCRIPTION_STATE_PAUSED',
    );
    expect((await client.call('resumeSubscription', { name: 'ops' })).subscription.state).toBe(
      'SUBSCRIPTION_STATE_ACTIVE',
    );
    const { replay } = await client.call('replaySubscription', { name: 'ops', replay: { from: { position: 0 } } });
    expect(replay).toMatchObject({ from: { position: 0 }, perSecond: 50 });
    const patch = { fields: { delivery: { stringValue: 'latest' } } };
    expect((await client.call('patchSubscription', { name: 'ops', patch })).subscription.delivery).toBe(
      'DELIVERY_MODE_LATEST',
    );
    await client.call('deleteSubscription', { name: 'ops' });
    expect((await client.call('listSubscriptions', {})).subscriptions).toEqual([]);
  });

  it('are refused where their destination is', async () => {
    const destination = { webhook: { url: 'http://169.254.169.254/' } };
    const refused = await failure(
      client.call('putSubscription', { name: 'x', subscription: { ...SUBSCRIPTION, destination } }),
    );
    expect(refused).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(/^TCN_EGRESS_BLOCKED: /),
    });
    expect(detailsOf(refused)).toContain('subscription.destination.webhook.url');
    const unsaid = await failure(client.call('putSubscription', { name: 'x', subscription: { types: ['*'] } }));
    expect(detailsOf(unsaid)).toContain('subscription.destination');
    const overlap = await failure(client.call('rotateSecret', { name: 'x', overlap: 'soon' }));
    expect(detailsOf(overlap)).toContain('overlap');
  });
});

describe('maintenance windows and keys', () => {
  it('windows are declared, read, listed and ended', async () => {
    const maintenance = {
      selector: { site: 'fra' },
      start: '2026-01-04T02:00:00',
      rrule: 'FREQ=WEEKLY;BYDAY=SU',
      timeZone: 'Europe/Berlin',
      duration: '2h',
    };
    const made = await client.call('putMaintenance', { name: 'sunday', maintenance });
    expect(made).toMatchObject({ outcome: 'OUTCOME_CREATED', maintenance: { spec: maintenance, active: false } });
    expect((await client.call('getMaintenance', { name: 'sunday' })).maintenance.next.start).toMatch(/Z$/);
    await eventually(async () => (await client.call('listMaintenance')).maintenance.length === 1, {
      what: 'it is listed',
    });
    await client.call('deleteMaintenance', { name: 'sunday', expectedRevision: made.maintenance.revision });
    expect(await failure(client.call('getMaintenance', { name: 'sunday' }))).toMatchObject({ code: status.NOT_FOUND });
  });

  it('a key is made, shown once, limited, changed and revoked', async () => {
    const key = { role: 'ROLE_VIEWER', rate: { perSecond: 100 }, labels: { team: 'a' } };
    const made = await client.call('putKey', { name: 'grpc', key });
    expect(made.key).toMatchObject({ role: 'ROLE_VIEWER', labels: { team: 'a' }, key: expect.stringMatching(/^tcn_/) });
    expect(await client.call('listTargets', {}, made.key.key)).toMatchObject({ targets: [] });
    expect((await client.call('getKey', { name: 'grpc' })).key.key).toBeUndefined();
    expect((await client.call('listKeys', {})).keys).toHaveLength(1);
    await client.call('deleteKey', { name: 'grpc' });
    expect(await failure(client.call('listTargets', {}, made.key.key))).toMatchObject({ code: status.UNAUTHENTICATED });
  });
});

describe('a request_id', () => {
  it('gives a write one effect and one answer, the secret included, and is no other request’s', async () => {
    const request = { name: 'once', subscription: SUBSCRIPTION, requestId: 'r-1' };
    const [first, repeat] = [
      await client.exchange('putSubscription', request),
      await client.exchange('putSubscription', request),
    ];
    expect(repeat.reply).toEqual(first.reply);
    expect([first.head?.get('idempotent-replayed'), repeat.head?.get('idempotent-replayed')]).toEqual([[], ['true']]);
    const other = await failure(client.call('deleteSubscription', { name: 'once', requestId: 'r-1' }));
    expect(other).toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(/^TCN_CONFLICT: /),
    });
    expect(registry.recorder.events.filter(({ subject }) => subject === 'subscription/once')).toHaveLength(1);
    const odd = await failure(client.call('deleteSubscription', { name: 'once', requestId: 'with space' }));
    expect(odd).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});
