import { TocsinError } from '@tocsin/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { call, context, start, stop } from '../things-service.fixture.js';

afterEach(stop);

describe('health', () => {
  it('says that the process is alive, to anybody', async () => {
    await start();
    expect((await call('/healthz')).body).toEqual({ status: 'ok' });
  });

  it('says which check fails, and why', async () => {
    const app = context();
    app.readiness.register('postgres', () => true);
    app.readiness.register('nats', async () => {
      throw new TocsinError('TCN_NATS_UNREACHABLE', 'no server at nats://user:pass@nats:4222');
    });
    await start({ context: app });
    const answer = await call('/readyz');
    expect(answer.status).toBe(503);
    expect(answer.body).toEqual({
      status: 'not ready',
      checks: { postgres: 'ok', nats: 'TCN_NATS_UNREACHABLE: no server at nats://***@nats:4222' },
    });
  });

  it('serves metrics in the text format of Prometheus, by route and not by path', async () => {
    await start();
    await call('/v1/things/abc', { key: 'viewer' });
    await call('/v1/nothing/here');
    const answer = await call('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.text).toMatch(
      /^http_server_request_duration_seconds_count\{method="GET",route="\/v1\/things\/:name",status="200"\} \d+$/m,
    );
    expect(answer.text).toMatch(
      /^http_server_request_duration_seconds_count\{method="GET",route="none",status="404"\} \d+$/m,
    );
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(answer.text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(answer.text).not.toContain('abc');
    expect(answer.text).not.toContain('here');
  });

  it('is ready when all checks pass', async () => {
    const app = context();
    app.readiness.register('postgres', async () => undefined);
    await start({ context: app });
    const answer = await call('/readyz');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: 'ok', checks: { postgres: 'ok' } });
  });
});
