import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { ProbeResult, VoidedProbe } from '@tocsin/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Probing, selfSigned } from './probing.harness.js';
import { runCheck } from './run-check.js';

const probing = new Probing();
const probe = (spec: Record<string, unknown>) => probing.probe(spec);
const tcp = (onConnection: (socket: Socket) => void = () => undefined) => probing.listen(createTcpServer(onConnection));
const http = (onRequest: RequestListener) => probing.listen(createHttpServer(onRequest));

beforeAll(() => probing.guard.start());
afterAll(() => probing.guard.stop());
afterEach(() => probing.stopServers());

describe('an HTTP check', () => {
  it('passes on an expected status, with the time of every phase', async () => {
    const port = await http((_request, response) => response.end('ok'));
    const result = await probe({ url: `http://127.0.0.1:${port}/healthz` });
    expect(result).toMatchObject({ outcome: 'pass', origin: 'remote', detail: 'HTTP 200' });
    expect(Object.keys(result.phasesMs).toSorted()).toEqual(['assert', 'connect', 'dns', 'request']);
    expect(result.phase).toBeUndefined();
  });

  it('sends what the check says, on a connection of its own each time', async () => {
    const seen: { url: string | undefined; headers: NodeJS.Dict<string | string[]>; method: string | undefined }[] = [];
    const connections = new Set<Socket>();
    const port = await http((request, response) => {
      connections.add(request.socket);
      seen.push({ url: request.url, headers: request.headers, method: request.method });
      response.end();
    });
    const spec = {
      url: `http://127.0.0.1:${port}/a?b=1`,
      method: 'POST',
      headers: { Host: 'edge.example.net', 'X-Key': '1' },
    };
    await probe(spec);
    await probe(spec);
    expect(connections.size).toBe(2);
    expect(seen[0]).toMatchObject({ url: '/a?b=1', method: 'POST' });
    expect(seen[0]?.headers).toMatchObject({ host: 'edge.example.net', 'x-key': '1', connection: 'close' });
  });

  it('fails on any other status and names both', async () => {
    const port = await http((_request, response) => response.writeHead(503).end());
    expect(await probe({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'assert',
      detail: 'HTTP 503, expected 2xx',
    });
  });

  it('does not follow a redirect', async () => {
    let requests = 0;
    const port = await http((_request, response) => {
      requests += 1;
      response.writeHead(302, { location: '/' }).end();
    });
    const result = await probe({ url: `http://127.0.0.1:${port}/` });
    expect(result).toMatchObject({ outcome: 'fail', detail: 'HTTP 302, expected 2xx' });
    expect(requests).toBe(1);
  });

  it('looks for a text in the body', async () => {
    const port = await http((_request, response) => response.end('status: green'));
    const url = `http://127.0.0.1:${port}/`;
    expect(await probe({ url, expect: { body: 'green' } })).toMatchObject({ outcome: 'pass' });
    expect(await probe({ url, expect: { body: 'blue' } })).toMatchObject({
      outcome: 'fail',
      phase: 'assert',
      detail: 'HTTP 200, but the body does not contain "blue"',
    });
  });

  it('reads no more than 64 KiB of an endless body', async () => {
    let sent = 0;
    const port = await http((_request, response) => {
      const chunk = Buffer.alloc(16 * 1024, 'x');
      const write = () => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on('drain', write);
      write();
    });
    const url = `http://127.0.0.1:${port}/`;
    expect(await probe({ url, timeout: '5s' })).toMatchObject({ outcome: 'pass' });
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  it.each([
    ['before the headers', () => undefined],
    ['after the headers', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n')],
    [
      'in a drip of bytes',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
        const drip = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('ends a hang %s at its deadline', async (_where, hang) => {
    const port = await tcp(hang);
    const started = performance.now();
    const result = await probe({ url: `http://127.0.0.1:${port}/` });
    expect(result).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'deadline',
      detail: `no complete answer from 127.0.0.1:${port} within 400ms`,
    });
    expect(performance.now() - started).toBeGreaterThanOrEqual(395);
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('fails on a connection that is reset', async () => {
    const port = await tcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await probe({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      outcome: 'fail',
      phase: 'request',
      detail: `127.0.0.1:${port} closed the connection before its answer was complete`,
    });
  });

  it('fails on an answer that breaks off', async () => {
    const port = await tcp((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
    });
    expect(await probe({ url: `http://127.0.0.1:${port}/` })).toMatchObject({ outcome: 'fail', phase: 'request' });
  });

  it('fails on what is not HTTP', async () => {
    const port = await tcp((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const result = await probe({ url: `http://127.0.0.1:${port}/` });
    expect(result).toMatchObject({ outcome: 'fail', phase: 'request' });
    expect(result.detail).toContain('does not answer in HTTP');
  });

  it('fails where nobody listens', async () => {
    const port = await tcp();
    await probing.stopServers();
    expect(await probe({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'connect',
      detail: `connection refused by 127.0.0.1:${port}`,
    });
  });

  it('reaches localhost by name', async () => {
    const port = await http((_request, response) => response.end());
    expect(await probe({ url: `http://localhost:${port}/` })).toMatchObject({ outcome: 'pass' });
    expect(await probe({ url: `http://edge.localhost:${port}/` })).toMatchObject({ outcome: 'pass' });
  });
});

describe('an HTTPS check', () => {
  let key: string;
  let cert: string;

  beforeAll(async () => {
    ({ key, cert } = await selfSigned(1));
  });

  it('does not trust a self-signed certificate, unless told to', async () => {
    const port = await probing.listen(createHttpsServer({ key, cert }, (_request, response) => response.end()));
    const url = `https://127.0.0.1:${port}/`;
    expect(await probe({ url, timeout: '2s' })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'tls',
      detail: `the certificate of 127.0.0.1:${port} is self-signed`,
    });
    const trusting = await probe({ url, timeout: '2s', tlsVerify: false });
    expect(trusting).toMatchObject({ outcome: 'pass' });
    expect(trusting.phasesMs.tls).toBeGreaterThan(0);
  });

  it('asks for the name in the URL', async () => {
    const names: (string | boolean)[] = [];
    const server = createHttpsServer({ key, cert }, (request, response) => response.end(request.headers.host));
    server.on('secureConnection', (socket) => names.push(socket.servername ?? false));
    const port = await probing.listen(server);
    await probe({ url: `https://edge.localhost:${port}/`, timeout: '2s', tlsVerify: false });
    expect(names).toEqual(['edge.localhost']);
  });

  it('ends a handshake that hangs at its deadline', async () => {
    const port = await tcp();
    expect(await probe({ url: `https://127.0.0.1:${port}/` })).toMatchObject({
      outcome: 'fail',
      phase: 'deadline',
      detail: `no TLS handshake with 127.0.0.1:${port} within 400ms`,
    });
  });
});

describe('a TCP check', () => {
  it('passes once connected, and fails where nobody listens', async () => {
    const port = await tcp();
    const spec = { type: 'tcp', host: '127.0.0.1', port };
    expect(await probe(spec)).toMatchObject({ outcome: 'pass', detail: `connected to 127.0.0.1:${port}` });
    await probing.stopServers();
    expect(await probe(spec)).toMatchObject({ outcome: 'fail', phase: 'connect' });
  });
});

describe('an event loop that was blocked', () => {
  function block(ms: number): void {
    const until = performance.now() + ms;
    while (performance.now() < until);
  }

  it('voids a time-out it has caused itself', async () => {
    const port = await http((_request, response) => response.end());
    const probes = Array.from({ length: 50 }, () =>
      runCheck(probing.check({ url: `http://127.0.0.1:${port}/` }), probing.deps),
    );
    setImmediate(() => block(1_000));
    const results: (ProbeResult | VoidedProbe)[] = await Promise.all(probes);
    expect(results.filter((result) => result.kind === 'result' && result.outcome === 'fail')).toEqual([]);
    expect(results.some((result) => result.kind === 'void')).toBe(true);
  });

  it('takes an answer that had arrived meanwhile', async () => {
    // The answer comes from another process's point of view: it lies in the socket when the late timer fires.
    const port = await tcp((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', () => setImmediate(() => block(600)));
      });
    });
    expect(await runCheck(probing.check({ url: `http://127.0.0.1:${port}/` }), probing.deps)).toMatchObject({
      kind: 'result',
      outcome: 'pass',
    });
  });

  it('still judges a target that hangs although the observer is well', async () => {
    const port = await tcp();
    expect(await runCheck(probing.check({ url: `http://127.0.0.1:${port}/` }), probing.deps)).toMatchObject({
      kind: 'result',
      outcome: 'fail',
      phase: 'deadline',
    });
  });
});
