import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import type { AttemptOutcome } from './outcome.js';
import { USER_AGENT } from './attempt.js';
import { Sender, type SenderOptions } from './sender.js';
import { type Answer, type RawServer, rawServer, response } from './raw-server.harness.js';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function serve(answer: Answer): Promise<RawServer> {
  const server = await rawServer(answer);
  cleanup.push(() => server.close());
  return server;
}
function sender(options: Partial<SenderOptions> = {}): Sender {
  const made = new Sender({ egress: EgressPolicy.parse('loopback'), ...options });
  cleanup.push(() => made.close());
  return made;
}
const body = Buffer.from('{"a":"ü"}');
const post = (from: Sender, url: string, more: object = {}): Promise<AttemptOutcome> =>
  from.send({ url, headers: { 'content-type': 'application/json', 'x-team': 'edge' }, body, ...more });

describe('an attempt', () => {
  it('sends the bytes and headers given, and reports what came back', async () => {
    const server = await serve((socket) =>
      socket.write(response('202 Accepted', 'thanks', ['X-Request-Id: r1', 'Set-Cookie: a=b'])),
    );
    const outcome = await post(sender(), `http://127.0.0.1:${server.port}/in/a%20b?x=1&y=%2F`);
    expect(outcome).toMatchObject({
      kind: 'response',
      status: 202,
      bodyHead: 'thanks',
      bodyComplete: true,
      responseBytes: 6,
      requestBytes: body.length,
      address: `127.0.0.1:${server.port}`,
      reused: false,
      headers: { 'x-request-id': 'r1', 'content-length': '6' },
    });
    const [head, sent] = server.requests[0]!.split('\r\n\r\n');
    expect(head).toMatch(/^POST \/in\/a%20b\?x=1&y=%2F HTTP\/1\.1\r\n/);
    expect(head!.toLowerCase()).toContain(`host: 127.0.0.1:${server.port}`);
    expect(head!.toLowerCase()).toContain(`user-agent: ${USER_AGENT.toLowerCase()}`);
    expect(head!.toLowerCase()).toContain('x-team: edge');
    expect(head!.toLowerCase()).not.toContain('accept-encoding');
    expect(Buffer.from(sent!, 'latin1').equals(body)).toBe(true);
  });

  it('times its phases', async () => {
    const server = await serve((socket) => setTimeout(() => socket.write(response('200 OK')), 100));
    const outcome = await post(sender(), `http://localhost:${server.port}/`);
    expect(outcome.phasesMs.ttfb).toBeGreaterThanOrEqual(95);
    expect(outcome.phasesMs.dns).toBeGreaterThanOrEqual(0);
    expect(outcome.phasesMs.connect).toBeGreaterThanOrEqual(0);
    expect(outcome.phasesMs.tls).toBeUndefined();
    expect(outcome.phasesMs.total).toBeGreaterThanOrEqual(outcome.phasesMs.ttfb!);
  });

  it('names the host and connects to the address its name was vetted with', async () => {
    const server = await serve((socket) => socket.write(response('200 OK')));
    const resolver = { resolve: () => Promise.resolve(['127.0.0.1']) };
    const outcome = await post(sender({ resolver }), `http://hooks.example.net:${server.port}/`);
    expect(outcome).toMatchObject({ kind: 'response', status: 200 });
    expect(server.requests[0]!.toLowerCase()).toContain(`host: hooks.example.net:${server.port}`);
  });

  it('uses a connection again, but not one that is in use', async () => {
    const server = await serve((socket) => setTimeout(() => socket.write(response('200 OK')), 30));
    const from = sender();
    const url = `http://127.0.0.1:${server.port}/`;
    await post(from, url);
    expect(await post(from, url)).toMatchObject({ status: 200, reused: true });
    expect(server.accepted()).toBe(1);
    const both = await Promise.all([post(from, url), post(from, url)]);
    expect(new Set(both.map((outcome) => outcome.reused))).toEqual(new Set([false, true]));
    expect(server.accepted()).toBe(2);
    expect(from.stats).toEqual({ inFlight: 0, idle: 2 });
  });

  it('takes a new connection when a kept one turns out to be closed', async () => {
    // The second request on a connection is answered by closing it, as servers do whose keep-alive ran out just then.
    const seen = new WeakSet<object>();
    const server = await serve((socket) => {
      if (seen.has(socket)) socket.destroy();
      else {
        seen.add(socket);
        socket.write(response('200 OK'));
      }
    });
    const from = sender();
    const url = `http://127.0.0.1:${server.port}/`;
    await post(from, url);
    expect(await post(from, url)).toMatchObject({ kind: 'response', status: 200, reused: false });
    expect(server.requests).toHaveLength(3);
  });

  it('keeps no more idle connections than allowed', async () => {
    const server = await serve((socket) => setTimeout(() => socket.write(response('200 OK')), 20));
    const from = sender({ idleConnections: 2 });
    await Promise.all(Array.from({ length: 6 }, () => post(from, `http://127.0.0.1:${server.port}/`)));
    expect(from.stats.idle).toBe(2);
  });
});

describe('ending early', () => {
  it('ends as aborted when its signal fires, and frees the connection', async () => {
    const stop = new AbortController();
    const server = await serve(() => stop.abort());
    const outcome = await post(sender(), `http://127.0.0.1:${server.port}/`, { signal: stop.signal });
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'aborted', phase: 'ttfb' });
    await expect.poll(() => server.open()).toBe(0);
  });

  it('sends nothing once closed or aborted', async () => {
    const server = await serve((socket) => socket.write(response('200 OK')));
    const from = sender();
    expect(await post(from, `http://127.0.0.1:${server.port}/`, { signal: AbortSignal.abort() })).toMatchObject({
      errorClass: 'aborted',
    });
    await from.close();
    expect(await post(from, `http://127.0.0.1:${server.port}/`)).toMatchObject({ errorClass: 'aborted' });
    expect(server.accepted()).toBe(0);
  });

  it('closes after the attempts under way have ended', async () => {
    const server = await serve((socket) => setTimeout(() => socket.write(response('200 OK')), 100));
    const from = sender();
    const running = post(from, `http://127.0.0.1:${server.port}/`);
    await expect.poll(() => server.requests.length).toBe(1);
    await from.close();
    expect(await running).toMatchObject({ status: 200 });
    await expect.poll(() => server.open()).toBe(0);
  });
});
