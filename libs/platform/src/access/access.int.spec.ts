import { TocsinError } from '@tocsin/domain';
import { afterEach, describe, expect, it } from 'vitest';
import type { Principal } from '../index.js';
import { ADMIN_KEY, call, logged, start, stop } from '../things-service.fixture.js';

afterEach(stop);

describe('access', () => {
  it('asks for a key', async () => {
    await start();
    const answer = await call('/v1/things/a');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tocsin"');
    expect(answer.body['code']).toBe('TCN_UNAUTHENTICATED');
  });

  it.each([
    ['viewer', 'GET', '/v1/things/a', 200],
    ['viewer', 'PUT', '/v1/things/a', 403],
    ['editor', 'GET', '/v1/things/a', 200],
    ['editor', 'POST', '/v1/events', 403],
    ['producer', 'POST', '/v1/events', 201],
    ['producer', 'GET', '/v1/things/a', 403],
    [ADMIN_KEY, 'POST', '/v1/events', 201],
    [ADMIN_KEY, 'GET', '/v1/unmarked', 200],
    ['editor', 'GET', '/v1/unmarked', 403],
    ['wrong-key', 'GET', '/v1/things/a', 401],
  ])('%s may %s %s → %i', async (key, method, path, status) => {
    await start();
    expect((await call(path, { key, method })).status).toBe(status);
  });

  it('does not serve a caller that has gone while its key was looked up', async () => {
    const lookedUp = Promise.withResolvers<void>();
    const looking = Promise.withResolvers<void>();
    const verify = async (key: string): Promise<Principal> => {
      if (key === 'unhurried') {
        looking.resolve();
        await lookedUp.promise;
      }
      return { name: 'ci', role: 'editor' };
    };
    await start({ verifier: { verify } });
    const caller = new AbortController();
    const gone = call('/v1/things/a', { key: 'unhurried', signal: caller.signal });
    await looking.promise;
    caller.abort();
    await expect(gone).rejects.toThrow('aborted');
    // The next call comes on another connection: when it is answered, the end of the first has been noticed.
    expect((await call('/v1/things/a', { key: 'editor' })).status).toBe(200);
    lookedUp.resolve();
    await expect.poll(logged).toContainEqual(expect.objectContaining({ path: '/v1/things/a', code: 'TCN_MALFORMED' }));
  });

  it('takes the scheme in any case', async () => {
    await start();
    expect((await call('/v1/things/a', { headers: { authorization: 'bearer viewer' } })).status).toBe(200);
  });

  it('logs every refusal with who and what, and never the key', async () => {
    await start();
    await call('/v1/things/a?token=abc', { key: 'a-key-that-nobody-has' });
    await call('/v1/things/a', { key: 'viewer', method: 'PUT' });
    const denied = logged().filter((line) => line['msg'] === 'call denied');
    expect(denied).toMatchObject([
      { level: 'warn', code: 'TCN_UNAUTHENTICATED', method: 'GET', path: '/v1/things/a', remote: '127.0.0.1' },
      { level: 'warn', code: 'TCN_FORBIDDEN', method: 'PUT', principal: 'dashboard', role: 'viewer' },
    ]);
    expect(JSON.stringify(logged())).not.toContain('a-key-that-nobody-has');
    expect(JSON.stringify(logged())).not.toContain('token=abc');
  });

  it('logs a refusal once, with the reason, also of one that calls too often', async () => {
    await start();
    await call('/v1/things/a', { key: 'slow' });
    expect((await call('/v1/things/a', { key: 'slow' })).status).toBe(429);
    await call('/v1/things/a', { key: 'viewer', method: 'PUT' });
    expect(logged().filter(({ code }) => code !== undefined)).toMatchObject([
      {
        msg: 'call denied',
        code: 'TCN_OVERLOADED',
        principal: 'slow',
        reason: 'the key "slow" may make 0.1 calls a second',
      },
      { msg: 'call denied', code: 'TCN_FORBIDDEN', principal: 'dashboard', reason: expect.stringContaining('editor') },
    ]);
  });

  it('lets a key with a scope in only where the scope is looked at', async () => {
    await start();
    const refused = await call('/v1/things/a', { key: 'scoped' });
    expect([refused.status, refused.body['detail']]).toEqual([
      403,
      'the key "team-a" is for team=a only, and this call is about everything',
    ]);
    expect((await call('/v1/scoped', { key: 'scoped' })).body).toEqual({ scope: { team: 'a' } });
    expect((await call('/v1/scoped', { key: 'viewer' })).status).toBe(200);
  });

  it('does not log the token of a heartbeat', async () => {
    await start();
    await call('/v1/heartbeats/hb_4711', { method: 'POST' });
    expect(logged().find((line) => line['msg'] === 'call denied')).toMatchObject({ path: '/v1/heartbeats/***' });
    expect(JSON.stringify(logged())).not.toContain('hb_4711');
  });

  it('answers 503, not 401, while the verifier cannot say', async () => {
    await start({
      verifier: {
        verify: async () => {
          throw new TocsinError('TCN_UNAVAILABLE', 'the registry is not there', { retryAfterMs: 1 });
        },
      },
    });
    const answer = await call('/v1/things/a', { key: 'viewer' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
  });
});
