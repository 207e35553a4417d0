import { JETSTREAM, RPC } from '@tocsin/contracts';
import { eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordedStage, startRecordedStage } from './recorder-process.harness.js';
import { API_KEY } from './registry.harness.js';

const TARGET = { kind: 'node', labels: { site: 'fra' }, check: { type: 'tcp', host: 'edge.example.net', port: 443 } };
const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/token' },
};

let registry: RecordedStage;

beforeAll(async () => {
  registry = await startRecordedStage();
});

afterAll(() => registry?.close());

/** What the recorder shows of a subject, oldest first. */
async function recordedOf(subject: string): Promise<{ type: string; sequence: number; position: number }[]> {
  const response = await fetch(`${registry.recorder.url}/v1/events?subject=${encodeURIComponent(subject)}&limit=1000`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  });
  return ((await response.json()) as { events: { type: string; sequence: number; position: number }[] }).events;
}

describe('registry and recorder together', () => {
  it('record a life: the revision is the position of the event that made it', async () => {
    const created = await registry.call('PUT', '/v1/targets/life', TARGET);
    expect(created.status).toBe(201);
    const changed = await registry.call('PATCH', '/v1/targets/life', { labels: { role: 'edge' } });
    expect((await registry.call('DELETE', '/v1/targets/life')).status).toBe(204);
    expect((await registry.call('PUT', '/v1/targets/life', TARGET)).status).toBe(201);
    const events = await recordedOf('target/life');
    expect(events.map(({ type, sequence }) => [type, sequence])).toEqual([
      ['io.tocsin.target.registered', 1],
      ['io.tocsin.target.updated', 2],
      ['io.tocsin.target.removed', 3],
      ['io.tocsin.target.registered', 4],
    ]);
    expect([created.body.revision, changed.body.revision]).toEqual([events[0]?.position, events[1]?.position]);
  });

  it('take a repeated append for what it is, also where the version has moved on', async () => {
    const event = {
      id: 'evt_repeated',
      source: 'tocsin/subscription-registry',
      type: 'io.tocsin.target.registered',
      subject: 'target/repeated',
      time: '2030-01-01T00:00:00.000Z',
      data: {
        name: 'repeated',
        actor: 'spec',
        spec: (await registry.call('GET', '/v1/targets/life').then(({ body }) => ({
          kind: body.kind,
          labels: body.labels,
          check: body.check,
        }))) as object,
      },
    };
    const request = { events: [event], expect: { 'target/repeated': 0 } };
    const first = await registry.broker.request<{ events: { position: number; repeated: boolean }[] }>(
      RPC.logAppend,
      request,
    );
    const second = await registry.broker.request<{ events: { position: number; repeated: boolean }[] }>(
      RPC.logAppend,
      request,
    );
    expect(second.events[0]).toMatchObject({ position: first.events[0]?.position, repeated: true });
    await eventually(async () => (await registry.call('GET', '/v1/targets/repeated')).status === 200, {
      what: 'the target is projected',
    });
  });

  it('let exactly one of many rivals through', async () => {
    const { headers } = await registry.call('PUT', '/v1/subscriptions/rivals', SUBSCRIPTION);
    const answers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((tail) =>
        registry.call(
          'PUT',
          '/v1/subscriptions/rivals',
          { ...SUBSCRIPTION, destination: { kind: 'webhook', url: `https://hooks.example.net/${tail}` } },
          { 'if-match': headers.get('etag') ?? '' },
        ),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412]);
    expect(await recordedOf('subscription/rivals')).toHaveLength(2);
  });

  it('carry a write over a recorder that is killed and comes back', async () => {
    await registry.recorder.kill9();
    const writing = registry.call('PUT', '/v1/targets/over-the-kill', TARGET);
    await registry.recorder.start();
    expect((await writing).status).toBe(201);
    expect(await recordedOf('target/over-the-kill')).toHaveLength(1);
  });

  it('bring everything back after the broker lost all it had', async () => {
    const bucket = await registry.broker.kv(JETSTREAM.targetsBucket);
    await registry.call('PUT', '/v1/targets/before-the-wipe', TARGET);
    await eventually(() => bucket.get('before-the-wipe'), { what: 'observers see the target' });
    await registry.servers.wipeNats();
    await eventually(() => bucket.get('before-the-wipe'), { what: 'observers see it again', timeoutMs: 30_000 });
    await registry.ready();
    const after = await registry.call('PUT', '/v1/targets/after-the-wipe', TARGET);
    expect(after.status).toBe(201);
    await eventually(() => bucket.get('after-the-wipe'), { what: 'observers see the new one' });
    expect((await bucket.keys()).toSorted()).toEqual(
      (await registry.call('GET', '/v1/targets')).body.items.map(({ name }: { name: string }) => name).toSorted(),
    );
  });

  it('declare a fleet of thousands in less than a minute', async () => {
    const targets = Array.from({ length: 5_000 }, (_, n) => ({ name: `fleet-${n}`, ...TARGET }));
    const subscriptions = Array.from({ length: 3_000 }, (_, n) => ({ name: `team-${n}`, ...SUBSCRIPTION }));
    const started = performance.now();
    // Two requests: a body may have 1 MiB.
    const one = await registry.call('POST', '/v1/apply', { targets });
    const two = await registry.call('POST', '/v1/apply', { subscriptions });
    expect(one.body.created).toHaveLength(5_000);
    expect(two.body.created).toHaveLength(3_000);
    expect(performance.now() - started).toBeLessThan(60_000);
    const bucket = await registry.broker.kv(JETSTREAM.targetsBucket);
    await eventually(async () => (await bucket.keys()).length >= 5_000, { what: 'observers see the fleet' });
    const listed = performance.now();
    expect((await registry.call('GET', '/v1/targets?limit=100')).body.items).toHaveLength(100);
    expect(performance.now() - listed).toBeLessThan(1_000);
  });
});
