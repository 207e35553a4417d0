import { randomUUID } from 'node:crypto';
import { RPC } from '@tocsin/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyOf, call, post, type Stage, startStage } from '../recorder.harness.js';

let recorder: Stage;
let url: string;

beforeAll(async () => {
  recorder = await startStage();
  url = recorder.url;
});

afterAll(async () => {
  await recorder?.close();
});

const event = (more: object = {}) => ({
  specversion: '1.0',
  id: randomUUID(),
  source: 'https://ci.example.net',
  type: 'com.acme.deployed',
  ...more,
});

async function headOf(): Promise<number> {
  let after = 0;
  for (;;) {
    const page = await bodyOf(await call(url, `/v1/events?after=${after}&limit=1000`));
    if (page.events.length === 0) return after;
    after = page.next;
  }
}

describe('POST /v1/events', () => {
  it('structured: 201 with the position, where the event then stands', async () => {
    const sent = event({ subject: 'svc/a', data: { a: [1, 'ü'] }, severity: 3 });
    const response = await post(url, sent, { 'content-type': 'application/cloudevents+json' });
    expect(response.status).toBe(201);
    const { events } = await bodyOf(response);
    expect(events).toEqual([{ id: sent.id, position: expect.any(Number) }]);
    expect(response.headers.get('location')).toBe(`/v1/events/${events[0]!.position}`);
    const read = await bodyOf(await call(url, response.headers.get('location')!));
    expect(read).toMatchObject({ ...sent, position: events[0]!.position, sequence: 1 });
  });

  it('binary: attributes from headers, data from the body', async () => {
    const id = randomUUID();
    const response = await call(url, '/v1/events', {
      method: 'POST',
      headers: {
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-source': 'urn:x',
        'ce-type': 'com.acme.binary',
        'ce-subject': 'svc/%E2%82%AC',
        'content-type': 'application/json',
      },
      body: '{"n":1}',
    });
    expect(response.status).toBe(201);
    const read = await bodyOf(await call(url, `/v1/events/${id}`));
    expect(read).toMatchObject({ id, source: 'urn:x', subject: 'svc/€', data: { n: 1 } });
  });

  it('batch: positions in the order given', async () => {
    const batch = Array.from({ length: 1000 }, (_, n) => event({ data: { n } }));
    const response = await post(url, batch, { 'content-type': 'application/cloudevents-batch+json' });
    expect(response.status).toBe(201);
    const { events } = await bodyOf(response);
    expect(events.map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
    const first = events[0]!.position;
    expect(events.map(({ position }) => position)).toEqual(batch.map((_, n) => first + n));
  });

  it('a batch with one bad event records nothing and says where', async () => {
    const before = await headOf();
    const response = await post(url, [event(), event({ type: 'bad type' }), event()]);
    expect(response.status).toBe(422);
    expect(await bodyOf(response)).toMatchObject({ code: 'TCN_INVALID', errors: [{ pointer: '/1/type' }] });
    expect(await headOf()).toBe(before);
  });

  it('a repeat is answered 200 with the first position, also without time and under another trace', async () => {
    const sent = event({ data: 1 });
    const traceparent = (digit: string): Record<string, string> => ({
      traceparent: `00-${digit.repeat(32)}-${digit.repeat(16)}-01`,
    });
    const first = await bodyOf(await post(url, sent, traceparent('1')));
    for (const headers of [traceparent('2'), {}] as Record<string, string>[]) {
      const repeat = await post(url, sent, headers);
      expect(repeat.status).toBe(200);
      expect(await bodyOf(repeat)).toEqual(first);
    }
    const read = await bodyOf(await call(url, `/v1/events/${sent.id}`));
    expect(read.traceparent).toBe(traceparent('1')['traceparent']);
    const mixed = await post(url, [sent, event()]);
    expect(mixed.status).toBe(201);
    expect((await bodyOf(mixed)).events[0]).toEqual(first.events[0]);
  });

  it('the same key with other content is 409, and in a batch nothing of it is recorded', async () => {
    const sent = event({ data: 1 });
    await post(url, sent);
    const single = await post(url, { ...sent, data: 2 });
    expect([single.status, (await bodyOf(single)).code]).toEqual([409, 'TCN_KEY_REUSED']);
    const before = await headOf();
    const batch = await post(url, [event(), { ...sent, data: 2 }]);
    expect(batch.status).toBe(409);
    expect(await headOf()).toBe(before);
  });

  it.each([
    ['an own source', event({ source: 'tocsin/health-probe' }), 403, 'TCN_FORBIDDEN'],
    ['a reserved type', event({ type: 'io.tocsin.target.registered' }), 403, 'TCN_FORBIDDEN'],
    ['an event that is too large', event({ data: 'x'.repeat(256 * 1024) }), 413, 'TCN_TOO_LARGE'],
    ['an attribute Tocsin assigns', event({ position: 1 }), 422, 'TCN_INVALID'],
    ['a health event without its payload', event({ type: 'io.tocsin.node.offline', data: {} }), 422, 'TCN_INVALID'],
    ['a source longer than an index entry', event({ source: '€'.repeat(1000) }), 422, 'TCN_INVALID'],
  ])('refuses %s', async (_what, sent, status, code) => {
    const response = await post(url, sent);
    expect(response.status).toBe(status);
    const problem = await bodyOf(response);
    expect(problem.code).toBe(code);
    expect(problem.errors[0]!.pointer).not.toContain('/events');
  });

  it('takes catalogue events of producers with any object', async () => {
    expect((await post(url, event({ type: 'io.tocsin.config.deployed', data: { revision: 'abc' } }))).status).toBe(201);
  });

  it('refuses what is not JSON, names where, and other content types', async () => {
    const broken = await call(url, '/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json' },
      body: '{"a":\n  oops}',
    });
    expect(broken.status).toBe(400);
    expect((await bodyOf(broken)).detail).toContain('line 2');
    const text = await call(url, '/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(text.status).toBe(415);
  });

  it('needs a key', async () => {
    const response = await fetch(`${url}/v1/events`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
  });

  it('keeps one subject gapless under many concurrent producers, every answer true', async () => {
    const sent = Array.from({ length: 300 }, (_, n) => event({ subject: 'race/one', data: n }));
    const answers = await Promise.all(sent.map(async (each) => (await bodyOf(await post(url, each))).events[0]!));
    const page = await bodyOf(await call(url, '/v1/events?subject=race/one&limit=1000'));
    expect(page.events.map(({ sequence }) => sequence)).toEqual(sent.map((_, n) => n + 1));
    const byId = new Map(page.events.map((each) => [each.id, each.position]));
    for (const { id, position } of answers) expect(byId.get(id)).toBe(position);
  });
});

describe('append over NATS', () => {
  it('checks the expected version of the subject', async () => {
    const request = (id: string) => ({
      events: [{ ...event({ id }), subject: 'node/rpc', time: new Date().toISOString() }],
      expect: { 'node/rpc': 0 },
    });
    const first = request(randomUUID());
    const appended = await recorder.broker.request(RPC.logAppend, first);
    expect(appended).toMatchObject({ events: [{ version: 1, repeated: false }] });
    expect(await recorder.broker.request(RPC.logAppend, first)).toMatchObject({ events: [{ repeated: true }] });
    await expect(recorder.broker.request(RPC.logAppend, request(randomUUID()))).rejects.toMatchObject({
      code: 'TCN_VERSION_CONFLICT',
    });
  });
});
