import { eventually, FakeNode, Receiver } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inState, subscribe, told, watch } from '../harness/fleet.js';
import { Installation, TOPOLOGIES } from '../harness/installation.js';
import { OtlpReceiver, type ReceivedSpan } from '../harness/otlp-receiver.js';

const APPEND = 'tocsin.rpc.log.append';

describe.each(TOPOLOGIES)('the traces of an outage, %s', (topology) => {
  let collector: OtlpReceiver;
  let tocsin: Installation;
  let node: FakeNode;
  let receiver: Receiver;

  beforeEach(async () => {
    [collector, node, receiver] = await Promise.all([OtlpReceiver.start(), FakeNode.start(), Receiver.start()]);
    tocsin = await Installation.create(topology, collector.env);
    await tocsin.start();
  });

  afterEach(async () => {
    await Promise.all([tocsin.destroy(), node.close(), receiver.close(), collector.close()]);
  });

  /** Name of the process a part runs in. */
  const service = (part: string) => (topology === 'standalone' ? 'tocsin' : `tocsin-${part}`);

  it('go from the first failing probe to the last attempt, and hold no secret', async () => {
    await watch(tocsin, 'a', `${node.url}?token=secret-of-the-node`);
    const secret = await subscribe(tocsin, 's', `${receiver.url}/secret-path?key=secret-query`);
    await inState(tocsin, 'a', 'up');

    receiver.respondOnce({ status: 503 });
    const downAt = Date.now();
    await node.down();
    const [refused, delivered] = await receiver.waitFor(2, 30_000);
    expect(told(receiver.requests)).toEqual(['offline node/a', 'offline node/a']);
    await inState(tocsin, 'a', 'down');
    const { body: ledger } = await tocsin.call('GET', '/v1/deliveries?subscription=s');
    const lines = tocsin.output;
    await tocsin.stop();

    const event = delivered?.json as { id: string; position: number; traceparent: string; episode: string };
    expect(refused?.json).toMatchObject({ traceparent: event.traceparent });
    const confirm = one(collector.named('confirm').filter((span) => span.attributes['tocsin.event.id'] === event.id));
    expect(event.traceparent).toBe(`00-${confirm.traceId}-${confirm.spanId}-01`);
    expect(confirm).toMatchObject({
      service: service('health-probe'),
      kind: 'internal',
      parentSpanId: undefined,
      failed: false,
      attributes: {
        'tocsin.subject': 'node/a',
        'tocsin.fact': 'offline',
        'tocsin.confidence': 'single',
        'tocsin.position': event.position,
        'tocsin.episode': event.episode,
      },
    });
    // Begins with the first failing probe, not with the confirmation.
    expect(confirm.startMs).toBeGreaterThanOrEqual(downAt - 5);
    expect(confirm.endMs - confirm.startMs).toBeGreaterThan(300);
    const probes = confirm.events.filter((found) => found.name === 'probe');
    expect(probes.length).toBeGreaterThanOrEqual(2);
    expect(new Set(probes.map(({ attributes }) => attributes['tocsin.probe.outcome']))).toEqual(new Set(['fail']));

    expect(shape(collector, confirm)).toEqual([
      {
        name: `request ${APPEND}`,
        kind: 'client',
        service: service('health-probe'),
        below: [
          {
            name: `serve ${APPEND}`,
            kind: 'server',
            service: service('event-recorder'),
            below: [
              {
                name: 'append',
                kind: 'internal',
                service: service('event-recorder'),
                below: [{ name: 'commit', kind: 'internal', service: service('event-recorder'), below: [] }],
              },
            ],
          },
        ],
      },
      { name: 'publish EVENTS', kind: 'producer', service: service('event-recorder'), below: [] },
      { name: 'match', kind: 'consumer', service: service('delivery'), below: [] },
    ]);
    const commit = one(collector.named('commit').filter((span) => span.traceId === confirm.traceId));
    expect(commit.attributes).toMatchObject({ 'tocsin.batch.appends': 1, 'tocsin.batch.events': 1 });
    const sql = collector.below(commit);
    expect(new Set(sql.map(databaseOf))).toEqual(new Set(['postgresql']));
    const publish = one(collector.below(confirm).filter((span) => span.name === 'publish EVENTS'));
    expect(publish.attributes).toMatchObject({
      'messaging.system': 'nats',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'tocsin.events.node.offline.a',
      'tocsin.position': event.position,
    });

    const attempts = collector.named('attempt').filter((span) => span.attributes['messaging.message.id'] === event.id);
    expect(attempts).toHaveLength(2);
    const [first, second] = attempts as [ReceivedSpan, ReceivedSpan];
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ service: service('delivery'), kind: 'client', parentSpanId: undefined });
      expect(attempt.attributes).toMatchObject({
        'messaging.system': 'webhook',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 's',
        'server.address': '127.0.0.1',
        'server.port': receiver.port,
        'network.peer.address': '127.0.0.1',
        'tocsin.position': event.position,
        'tocsin.subscription': 's',
      });
    }
    expect(new Set([confirm.traceId, first.traceId, second.traceId]).size).toBe(3);
    expect(first.links).toEqual([confirm.spanId]);
    expect(second.links).toEqual([confirm.spanId, first.spanId]);
    expect(first).toMatchObject({
      failed: true,
      attributes: { 'http.response.status_code': 503, 'error.type': '503', 'tocsin.attempt.number': 1 },
    });
    expect(second).toMatchObject({
      failed: false,
      attributes: {
        'http.response.status_code': 200,
        'http.request.resend_count': 1,
        'tocsin.attempt.number': 2,
        'tocsin.attempt.outcome': 'delivered',
      },
    });

    // The request itself hangs on its attempt, and carries its own context, once.
    for (const [attempt, request] of [
      [first, refused],
      [second, delivered],
    ] as const) {
      const post = one(collector.below(attempt));
      expect(post).toMatchObject({ name: 'POST', kind: 'client' });
      expect(request?.headers['traceparent']).toBe(`00-${post.traceId}-${post.spanId}-01`);
    }

    // The ledger and the log lead to the same traces.
    expect(ledger.items[0]).toMatchObject({ position: event.position, attempts: 2 });
    for (const attempt of attempts) {
      const line = one(
        lines
          .split('\n')
          .filter((text) => text.includes(attempt.traceId))
          .map((text) => JSON.parse(text)),
      );
      expect(line).toMatchObject({ trace_id: attempt.traceId, span_id: attempt.spanId, subscription: 's' });
      expect(line).toMatchObject({ traceId: attempt.traceId, spanId: attempt.spanId });
    }
    const changed = one(lines.split('\n').filter((text) => text.includes('"msg":"node/a offline"')));
    expect(JSON.parse(changed)).toMatchObject({ trace_id: confirm.traceId, span_id: confirm.spanId, event: event.id });

    const sent = collector.bodies.join('\n');
    for (const word of ['secret-', secret, tocsin.apiKey]) expect(sent).not.toContain(word);
  });

  it('link an attempt to the one before it also over a kill -9 in between', async () => {
    await subscribe(tocsin, 's', receiver.url, ['com.acme.*']);
    receiver.respond({ status: 503 });
    const event = { specversion: '1.0', type: 'com.acme.deployed', source: 'acme', id: '1', data: {} };
    await tocsin.call('POST', '/v1/events', event, { 'content-type': 'application/cloudevents+json' });
    await eventually(() => collector.named('attempt').length > 0, { what: 'the first attempt is exported' });
    await tocsin.kill9Service('delivery');
    const before = collector.named('attempt').at(-1);
    receiver.respond({ status: 200 });
    await tocsin.start();
    await eventually(() => collector.named('attempt').some((span) => !span.failed), {
      what: 'a later attempt has succeeded',
      timeoutMs: 60_000,
    });

    const after = one(collector.named('attempt').filter((span) => !span.failed));
    expect(after.attributes['tocsin.attempt.number']).toBe(Number(before?.attributes['tocsin.attempt.number']) + 1);
    expect(after.links).toEqual([after.links[0], before?.spanId]);
    expect(before?.links).toEqual([after.links[0]]);
  });

  it('of a producer’s event begin where the producer says', async () => {
    await subscribe(tocsin, 's', receiver.url, ['com.acme.*']);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const event = { specversion: '1.0', type: 'com.acme.deployed', source: 'acme', id: '1', data: {} };
    const headers = { 'content-type': 'application/cloudevents+json' };
    const { status } = await tocsin.call('POST', '/v1/events', event, { ...headers, traceparent });
    expect(status).toBe(201);
    const [request] = await receiver.waitFor(1, 20_000);
    await tocsin.stop();

    expect(request?.json).toMatchObject({ traceparent });
    const attempt = one(collector.named('attempt'));
    expect(attempt.links).toEqual(['b7ad6b7169203331']);
    const inProducersTrace = collector.spans.filter((span) => span.parentSpanId === 'b7ad6b7169203331');
    expect(inProducersTrace.map((span) => span.name).sort()).toEqual(['POST /v1/events', 'match', 'publish EVENTS']);
    const call = one(collector.named('POST /v1/events'));
    expect(collector.below(call).map((span) => span.name)).toContain('append');
  });
});

interface Shape {
  name: string;
  kind: string;
  service: string;
  below: Shape[];
}

/** Our own spans below a span; SQL left out. */
function shape(collector: OtlpReceiver, parent: ReceivedSpan): Shape[] {
  return collector
    .below(parent)
    .filter((span) => databaseOf(span) === undefined)
    .map((span) => ({
      name: span.name,
      kind: span.kind,
      service: span.service,
      below: shape(collector, span),
    }));
}

function databaseOf(span: ReceivedSpan): unknown {
  return span.attributes['db.system.name'] ?? span.attributes['db.system'];
}

function one<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1);
  return list[0]!;
}
