import { afterEach, describe, expect, it } from 'vitest';
import { call, logged, start, stop } from '../things-service.fixture.js';

afterEach(stop);

describe('errors over HTTP', () => {
  it('answers an unknown route with a problem document', async () => {
    await start();
    const answer = await call('/v1/nothing?key=secret');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: 'urn:tocsin:error:TCN_NOT_FOUND',
      title: 'There is no such thing',
      status: 404,
      code: 'TCN_NOT_FOUND',
      detail: 'nothing is served at /v1/nothing',
      instance: '/v1/nothing',
    });
  });

  it('answers a known route with another method with 405 and Allow', async () => {
    await start();
    const answer = await call('/v1/things/a', { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.body['code']).toBe('TCN_METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT');
  });

  it('answers a path with a broken escape with 400', async () => {
    await start();
    const answer = await call('/v1/things/%FF', { key: 'viewer' });
    expect(answer.status).toBe(400);
    expect(answer.body['code']).toBe('TCN_MALFORMED');
  });

  it('shows nothing of the inside of an unexpected error, and logs it', async () => {
    await start();
    const answer = await call('/v1/fails');
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ code: 'TCN_INTERNAL', detail: 'Something went wrong inside Tocsin' });
    expect(answer.text).not.toContain('hunter2');
    expect(logged().find((line) => line['msg'] === 'request failed')).toMatchObject({
      path: '/v1/fails',
      err: { message: 'the password is hunter2' },
    });
  });

  it('does not show where the database is', async () => {
    await start();
    const answer = await call('/v1/database');
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'TCN_POSTGRES_UNREACHABLE', detail: 'Postgres cannot be reached' });
    expect(answer.text).not.toContain('db.internal');
  });

  it('says when to come again, in whole seconds rounded up', async () => {
    await start();
    const answer = await call('/v1/overloaded');
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.body['detail']).toBe('too many appends wait');
  });

  it('sends security headers and does not name the framework', async () => {
    await start();
    for (const path of ['/v1/public', '/v1/nothing']) {
      const { headers } = await call(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('etag')).toBeNull();
    }
  });
});
