import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, run, serve, SERVICE, urlOf } from './child-process.fixture.js';

afterEach(cleanUp);

describe('telemetry', () => {
  interface Span {
    name: string;
    traceId: string;
    spanId: string;
    parentSpanId?: string;
    attributes: { key: string; value: { stringValue?: string } }[];
  }

  async function traced(env: (collector: string) => Record<string, string>) {
    const exports: string[] = [];
    const received: { path: string; headers: IncomingHttpHeaders }[] = [];
    const collector = await serve((_path, _headers, body) => {
      exports.push(body);
      return '{}';
    });
    const receiver = await serve((path, headers) => {
      received.push({ path, headers });
      return '{"ok":true}';
    });
    const child = run(
      SERVICE,
      { RECEIVER: `${receiver}/services/secret-path?token=secret-query`, ...env(collector) },
      '--import',
      '@tocsin/platform/telemetry',
    );
    const url = await urlOf(child);
    const response = await fetch(`${url}/v1/heartbeats/secret-token?x=1`, {
      method: 'POST',
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        baggage: 'user=secret-baggage',
      },
    });
    expect(await response.json()).toEqual({ ok: true });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    await fetch(`${url}/healthz`);
    child.process.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    const spans = exports.flatMap((body) => {
      const batch = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      return batch.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans));
    });
    return { spans, exports: exports.join('\n'), received, receiver, metrics, log: child.output() };
  }

  it('follows a call through the service to the receiver and shows no secret on the way', async () => {
    const { spans, exports, received, receiver, metrics, log } = await traced((collector) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_SERVICE_NAME: 'test-service',
    }));
    expect(spans.map((span) => span.name).toSorted()).toEqual(['POST', 'POST /v1/heartbeats/:token']);
    const server = spans.find((span) => span.name !== 'POST');
    const client = spans.find((span) => span.name === 'POST');
    expect(server).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331' });
    expect(client).toMatchObject({ traceId: server?.traceId, parentSpanId: server?.spanId });
    const attributes = (span: Span | undefined) =>
      Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, value.stringValue]));
    expect(attributes(server)).toMatchObject({
      'http.route': '/v1/heartbeats/:token',
      'url.path': '/v1/heartbeats/***',
    });
    expect(attributes(client)).toMatchObject({ 'url.full': `${receiver}/***`, 'url.path': '/***', 'url.query': '' });
    expect(exports).not.toMatch(/secret-/);
    expect(exports).toContain('test-service');

    expect(received).toHaveLength(1);
    expect(received[0]?.path).toBe('/services/secret-path?token=secret-query');
    expect(received[0]?.headers['traceparent']).toBe(`00-${client?.traceId}-${client?.spanId}-01`);
    expect(received[0]?.headers).not.toHaveProperty('baggage');

    expect(log).toMatch(new RegExp(`"trace_id":"${server?.traceId}","span_id":"${server?.spanId}".*"msg":"calling"`));
    expect(metrics).toContain('http_server_request_duration_seconds_count{method="POST",route="/v1/heartbeats/:token"');
    expect(metrics).not.toContain('http_client_request_duration');
  });

  it.each<Record<string, string>>([
    {},
    { OTEL_TRACES_EXPORTER: 'none' },
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' },
  ])('traces nothing but still measures with %j', async (env) => {
    const { spans, received, metrics } = await traced(() => env);
    expect(spans).toEqual([]);
    expect(received[0]?.headers).not.toHaveProperty('traceparent');
    expect(metrics).toContain('http_server_request_duration_seconds_count{method="POST"');
  });

  it('ends in time where the collector does not answer', async () => {
    const { log } = await traced(() => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    }));
    expect(log).toContain('"msg":"stopped"');
  });
});
