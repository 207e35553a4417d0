import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningRegistry, Servers } from './testing/registry-harness.js';
import { StandInRecorder } from './testing/stand-in-recorder.js';
import type { Broker } from '@tocsin/jetstream';

let servers: Servers;
let registry: RunningRegistry;
let recorder: StandInRecorder;
let broker: Broker;

beforeAll(async () => {
  servers = await Servers.start();
  broker = await servers.connect('recorder');
  recorder = new StandInRecorder(broker);
  recorder.start();
  registry = await servers.registry();
  await registry.ready();
});

afterAll(async () => {
  await registry?.close();
  await recorder?.stop();
  await broker?.close();
  await servers?.stop();
});

const SUBSCRIPTION = {
  types: ['io.tocsin.node.*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/token' },
};

function typesOf(name: string): string[] {
  return recorder.events
    .filter(({ subject }) => subject === `subscription/${name}`)
    .map(({ type }) => type.replace('io.tocsin.subscription.', ''));
}

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
