import type { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, startStage } from '../registry.harness.js';

const HOOK = 'https://hooks.example.net/T0/B0/s3cr3t?k=v';

let registry: Stage;
let database: Database;

beforeAll(async () => {
  registry = await startStage();
  database = await registry.database();
});

afterAll(() => registry?.close());

const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/token' },
};

function typesOf(name: string): string[] {
  return registry.recorder.events
    .filter(({ subject }) => subject === `subscription/${name}`)
    .map(({ type }) => type.replace('io.tocsin.subscription.', ''));
}

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
      JSON.stringify(registry.recorder.events),
      JSON.stringify(tables),
    ]) {
      for (const secret of ['s3cr3t', 'hush', created.body.secret]) expect(text).not.toContain(secret);
    }
  });

  it('takes back what it shows, and looks into the seal to see whether anything changed', async () => {
    const before = registry.recorder.events.length;
    const shown = (await registry.call('GET', path)).body;
    const sent = { destination: shown.destination, types: shown.types, labels: shown.labels, order: shown.order };
    expect(await registry.call('PUT', path, sent)).toMatchObject({ status: 200, body: { revision: shown.revision } });
    expect(await registry.call('PUT', path, body)).toMatchObject({ status: 200, body: { revision: shown.revision } });
    expect(registry.recorder.events).toHaveLength(before);

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

describe('a subscription', () => {
  it('is paused and resumed, each recorded once, and keeps its destination', async () => {
    await registry.call('PUT', '/v1/subscriptions/pausing', SUBSCRIPTION);
    const paused = await registry.call('POST', '/v1/subscriptions/pausing/pause');
    expect([paused.status, paused.body.state, paused.body.paused]).toEqual([200, 'paused', true]);
    expect((await registry.call('POST', '/v1/subscriptions/pausing/pause')).body.revision).toBe(paused.body.revision);
    const resumed = await registry.call('POST', '/v1/subscriptions/pausing/resume');
    expect([resumed.status, resumed.body.state, resumed.body.paused]).toEqual([200, 'active', undefined]);
    expect(typesOf('pausing')).toEqual(['created', 'paused', 'resumed']);
    expect(resumed.body.destination.url).toBe('https://hooks.example.net/…');
  });

  it('shows that delivery has given up on it, since when and why, until it is resumed or declared otherwise', async () => {
    const { body: made } = await registry.call('PUT', '/v1/subscriptions/given-up', SUBSCRIPTION);
    const show = async (): Promise<Record<string, unknown>> =>
      (await registry.call('GET', '/v1/subscriptions/given-up')).body;
    const time = '2030-01-01T00:00:00.000Z';
    let told = 0;
    const disable = async (revision: number): Promise<void> => {
      const type = 'io.tocsin.subscription.disabled';
      const subject = 'subscription-health/given-up';
      const data = { name: 'given-up', reason: 'gone', answer: '410', position: 1, revision };
      told += 1;
      registry.recorder.append({
        events: [{ id: `evt_disabled_${told}`, source: 'tocsin/delivery', type, subject, time, data }],
      });
      // Whoever writes next sees what was before.
      await registry.call('PUT', `/v1/subscriptions/after-${told}`, SUBSCRIPTION);
    };
    const disabled = { since: time, reason: 'gone', answer: '410' };

    await disable(made.revision);
    expect(await show()).toMatchObject({ state: 'disabled', disabled, revision: made.revision });
    const { body: list } = await registry.call('GET', '/v1/subscriptions');
    expect(list.items.find((one: { name: string }) => one.name === 'given-up')).toMatchObject({ disabled });
    // What is declared as it was changes nothing: `tocsin apply` at every deployment enables nobody.
    const same = await registry.call('PUT', '/v1/subscriptions/given-up', SUBSCRIPTION);
    expect(same.body).toMatchObject({ state: 'disabled', revision: made.revision });

    const resumed = await registry.call('POST', '/v1/subscriptions/given-up/resume');
    expect(resumed.body).toMatchObject({ state: 'active', name: 'given-up' });
    expect(resumed.body).not.toHaveProperty('disabled');
    expect(typesOf('given-up')).toEqual(['created', 'resumed']);
    // Told late, of the declaration before.
    await disable(made.revision);
    expect(await show()).toMatchObject({ state: 'active' });

    await disable(resumed.body.revision);
    expect(await show()).toMatchObject({ state: 'disabled' });
    const changed = await registry.call('PATCH', '/v1/subscriptions/given-up', { order: 'none' });
    expect(changed.body).toMatchObject({ state: 'active' });
  });

  it('is paused by its declaration as well', async () => {
    const { body } = await registry.call('PUT', '/v1/subscriptions/declared', { ...SUBSCRIPTION, paused: true });
    expect(body.state).toBe('paused');
  });

  it('is replayed by an event that changes nothing of it', async () => {
    const { body } = await registry.call('PUT', '/v1/subscriptions/replayed', SUBSCRIPTION);
    const answer = await registry.call('POST', '/v1/subscriptions/replayed/replay', { from: { position: 1 } });
    expect([answer.status, answer.body]).toEqual([
      202,
      { name: 'replayed', replay: { from: { position: 1 }, perSecond: 50 } },
    ]);
    expect(typesOf('replayed')).toEqual(['created', 'replay-requested']);
    expect((await registry.call('GET', '/v1/subscriptions/replayed')).body.revision).toBe(body.revision);
    // The next declaration expects the version that the request has made.
    const again = await registry.call('PATCH', '/v1/subscriptions/replayed', { order: 'none' });
    expect(again.status).toBe(200);
  });

  it('that is not there is not found, and a wrong request is refused', async () => {
    for (const action of ['pause', 'resume', 'replay']) {
      const body = action === 'replay' ? { from: { position: 0 } } : undefined;
      expect((await registry.call('POST', `/v1/subscriptions/nobody/${action}`, body)).status).toBe(404);
    }
    const wrong = await registry.call('POST', '/v1/subscriptions/replayed/replay', { from: 'now' });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'TCN_INVALID']);
  });
});
