import { Receiver, type Answer } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from './api-client.js';

describe('the client of the API', () => {
  let server: Receiver;
  let client: ApiClient;

  beforeEach(async () => {
    server = await Receiver.start();
    client = new ApiClient({ url: `http://127.0.0.1:${server.port}/`, apiKey: 'k', timeoutMs: 500 });
  });
  afterEach(() => server.close());

  const problem = (status: number, fields: object, headers: Record<string, string> = {}): Answer => ({
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type: 't', title: 't', status, detail: 'so it is', ...fields }),
  });

  it('sends the key and JSON, and gives the answer’s JSON', async () => {
    server.respond({ body: '{"a":1}' });
    expect(await client.call('POST', '/v1/x', { b: 2 })).toEqual({ a: 1 });
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/v1/x', json: { b: 2 } });
    expect(request!.headers).toMatchObject({ authorization: 'Bearer k', 'content-type': 'application/json' });
  });

  it('sends no key where it has none', async () => {
    await new ApiClient({ url: `http://127.0.0.1:${server.port}` }).call('GET', '/readyz');
    expect(server.requests[0]!.headers['authorization']).toBeUndefined();
  });

  it('gives errors as they were there, with faults and when to come again', async () => {
    const errors = [{ pointer: '/a', detail: 'is wrong' }];
    server.respond(problem(503, { code: 'TCN_OVERLOADED', errors }, { 'retry-after': '7' }));
    await expect(client.call('GET', '/')).rejects.toMatchObject({
      code: 'TCN_OVERLOADED',
      message: 'so it is',
      faults: errors,
      retryAfterMs: 7_000,
    });
  });

  it('names a code that it does not know', async () => {
    server.respond(problem(418, { code: 'TCN_TEAPOT' }));
    await expect(client.call('GET', '/')).rejects.toMatchObject({
      code: 'TCN_INTERNAL',
      message: 'TCN_TEAPOT: so it is',
    });
    server.respond(problem(418, { code: 'toString' }));
    await expect(client.call('GET', '/')).rejects.toMatchObject({ code: 'TCN_INTERNAL' });
  });

  it.each([
    [502, 'TCN_UNAVAILABLE'],
    [500, 'TCN_INTERNAL'],
    [404, 'TCN_INTERNAL'],
  ])('takes HTTP %i from something that is not the API for %s', async (status, code) => {
    server.respond({ status, body: '<html>' });
    await expect(client.call('GET', '/')).rejects.toMatchObject({ code });
  });

  it('never takes the key to where a redirect leads', async () => {
    server.respond({ status: 302, headers: { location: '/elsewhere' } });
    await expect(client.call('GET', '/')).rejects.toMatchObject({ code: 'TCN_INTERNAL' });
    expect(server.requests).toHaveLength(1);
  });

  it('says that nothing answers', async () => {
    const { port } = server;
    await server.close();
    server = await Receiver.start();
    await expect(new ApiClient({ url: `http://127.0.0.1:${port}` }).call('GET', '/')).rejects.toMatchObject({
      code: 'TCN_UNAVAILABLE',
      message: `http://127.0.0.1:${port}: nothing answers there`,
    });
  });

  it.each(['before-head', 'after-head'] as const)('gives an answer up that hangs %s', async (hang) => {
    server.respond({ hang });
    await expect(client.call('GET', '/')).rejects.toMatchObject({
      code: 'TCN_TIMEOUT',
      message: expect.stringContaining('no answer within 500 ms'),
    });
  });

  it('waits for the head of an opened answer only, however long its body takes', async () => {
    server.respond({ drip: { everyMs: 100, times: 8 } });
    const response = await client.open('GET', '/');
    expect(await response.text()).toBe(' '.repeat(8));
  });

  it('ends an opened answer with its signal', async () => {
    server.respond({ drip: { everyMs: 50 } });
    const done = new AbortController();
    const response = await client.open('GET', '/', { signal: done.signal });
    done.abort();
    await expect(response.text()).rejects.toThrow();
  });

  it('takes a status for an answer where the caller says so', async () => {
    server.respond({ status: 503, body: '{"status":"not ready"}' });
    const response = await client.open('GET', '/readyz', { accept: [503] });
    expect(await response.json()).toEqual({ status: 'not ready' });
  });
});
