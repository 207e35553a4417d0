import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation, type ServingStatusMap } from 'grpc-health-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NameServer, NOERROR, SERVFAIL } from './name-server.harness.js';
import { Probing, selfSigned } from './probing.harness.js';
import { runCheck } from './run-check.js';

const probing = new Probing();
const probe = (spec: Record<string, unknown>) => probing.probe({ timeout: '2s', ...spec });
const tcp = (onConnection: (socket: Socket) => void) => probing.listen(createTcpServer(onConnection));

beforeAll(() => probing.guard.start());
afterAll(() => probing.guard.stop());
afterEach(() => probing.stopServers());

describe('an HTTP check with a limit of good health', () => {
  it('is degraded by an answer that takes longer', async () => {
    const port = await probing.listen(createHttpServer((_request, response) => setTimeout(() => response.end(), 150)));
    const url = `http://127.0.0.1:${port}/`;
    const slow = await probe({ url, degradedAfter: '100ms' });
    expect(slow).toMatchObject({ outcome: 'degraded', origin: 'remote', phase: 'assert' });
    expect(slow.detail).toMatch(/^HTTP 200, but after \d+ms, more than 100ms$/);
    expect(await probe({ url, degradedAfter: '1900ms' })).toMatchObject({ outcome: 'pass' });
  });
});

describe('a TCP check that expects an answer', () => {
  it('passes when it hears it, in however many pieces', async () => {
    const port = await tcp((socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.toString() !== 'PING\r\n') return;
        socket.write('+PO');
        setTimeout(() => socket.write('NG\r\n'), 30);
      });
    });
    const spec = { type: 'tcp', host: '127.0.0.1', port, send: 'PING\r\n' };
    expect(await probe({ ...spec, expect: '+PONG' })).toMatchObject({
      outcome: 'pass',
      detail: `127.0.0.1:${port} said "+PONG"`,
    });
  });

  it('fails when the peer says something else, and at the deadline when it says nothing', async () => {
    const rude = await tcp((socket) => socket.end('-ERR\r\n'));
    expect(await probe({ type: 'tcp', host: '127.0.0.1', port: rude, expect: '+PONG' })).toMatchObject({
      outcome: 'fail',
      phase: 'assert',
      detail: `127.0.0.1:${rude} did not say "+PONG"`,
    });
    const mute = await tcp(() => undefined);
    const spec = { type: 'tcp', host: '127.0.0.1', port: mute, expect: '+PONG', timeout: '300ms' };
    expect(await probe(spec)).toMatchObject({ outcome: 'fail', phase: 'deadline' });
  });
});

describe('a gRPC check', () => {
  async function serve(status: ServingStatusMap | undefined): Promise<{ port: number; stop: () => void }> {
    const server = new GrpcServer();
    if (status !== undefined) new HealthImplementation(status).addToServer(server);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return { port, stop: () => server.forceShutdown() };
  }

  it('asks the health service, of the server and of one service', async () => {
    const { port, stop } = await serve({ '': 'SERVING', 'acme.v1.Orders': 'NOT_SERVING' });
    const spec = { type: 'grpc', host: '127.0.0.1', port };
    expect(await probe(spec)).toMatchObject({ outcome: 'pass', detail: 'SERVING' });
    expect(await probe({ ...spec, service: 'acme.v1.Orders' })).toMatchObject({
      outcome: 'fail',
      phase: 'assert',
      detail: 'NOT_SERVING, expected SERVING',
    });
    expect(await probe({ ...spec, service: 'acme.v1.Nothing' })).toMatchObject({
      outcome: 'fail',
      detail: 'gRPC status NOT_FOUND: the server does not know this service',
    });
    stop();
  });

  it('fails where there is no health service, no gRPC, or nothing at all', async () => {
    const { port, stop } = await serve(undefined);
    expect((await probe({ type: 'grpc', host: '127.0.0.1', port })).detail).toContain('UNIMPLEMENTED');
    stop();
    const web = await probing.listen(createHttpServer((_request, response) => response.end()));
    expect(await probe({ type: 'grpc', host: '127.0.0.1', port: web })).toMatchObject({
      outcome: 'fail',
      phase: 'request',
    });
    const mute = await tcp(() => undefined);
    const hanging = await probe({ type: 'grpc', host: '127.0.0.1', port: mute, timeout: '300ms' });
    expect(hanging).toMatchObject({ outcome: 'fail', phase: 'deadline' });
  });
});

describe('a TLS check', () => {
  async function serve(days: number): Promise<number> {
    const { key, cert } = await selfSigned(days);
    return probing.listen(createTlsServer({ key, cert }, (socket) => socket.on('error', () => undefined)));
  }

  it('fails on a certificate that nobody trusts, unless only the dates matter', async () => {
    const port = await serve(100);
    const spec = { type: 'tls', host: '127.0.0.1', port, serverName: 'edge.test' };
    expect(await probe(spec)).toMatchObject({
      outcome: 'fail',
      phase: 'tls',
      detail: `the certificate of 127.0.0.1:${port} is self-signed`,
    });
    const dates = await probe({ ...spec, tlsVerify: false });
    expect(dates).toMatchObject({ outcome: 'pass' });
    expect(dates.detail).toMatch(/^certificate valid until \d{4}-\d\d-\d\d: 9\d days, 9\d % of its lifetime$/);
  });

  it.each([
    [95, 'degraded', /has 4 days, 4 % of its lifetime left/],
    [101, 'fail', /has expired on/],
    [-2, 'fail', /is not valid yet/],
  ] as const)('after %d of 100 days says %s', async (days, outcome, detail) => {
    const port = await serve(100);
    const { deps } = probing;
    const clock = { ...deps.clock, now: () => Date.now() + days * 86_400_000 };
    const check = probing.check({ type: 'tls', host: '127.0.0.1', port, tlsVerify: false, timeout: '2s' });
    const result = await runCheck(check, { ...deps, clock });
    expect(result).toMatchObject({ kind: 'result', outcome, detail: expect.stringMatching(detail) as string });
  });
});

describe('a DNS check', () => {
  it('passes when the answers are those expected', async () => {
    const names = new NameServer();
    const server = await names.start();
    names.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 1] });
    names.zones.set('broken.test', { rcode: SERVFAIL });
    const spec = { type: 'dns', name: 'edge.test', server };
    expect(await probe(spec)).toMatchObject({ outcome: 'pass', detail: 'edge.test A 10.0.0.1' });
    expect(await probe({ ...spec, expect: ['10.0.0.1'] })).toMatchObject({ outcome: 'pass' });
    expect(await probe({ ...spec, expect: ['10.0.0.2'] })).toMatchObject({
      outcome: 'fail',
      phase: 'assert',
      detail: 'edge.test A is 10.0.0.1, not 10.0.0.2',
    });
    expect(await probe({ ...spec, name: 'nobody.test' })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'dns',
      detail: 'nobody.test does not exist',
    });
    expect(await probe({ ...spec, record: 'AAAA' })).toMatchObject({
      outcome: 'fail',
      detail: 'edge.test AAAA has no answer',
    });
    expect(await probe({ ...spec, name: 'broken.test' })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'dns',
    });
    names.silent = true;
    expect(await probe({ ...spec, timeout: '300ms' })).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'deadline',
    });
    names.stop();
  });
});
