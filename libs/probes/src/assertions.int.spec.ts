import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { CertificateSeen } from '@tocsin/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { certificatePlaceOf, lookAtCertificate } from './certificate.js';
import { icmpFault } from './icmp-check.js';
import { NameServer, NOERROR, SERVFAIL } from './name-server.harness.js';
import { Probing, selfSigned } from './probing.harness.js';
import { peerOf, runCheck } from './run-check.js';

const probing = new Probing();
const probe = (spec: Record<string, unknown>) => probing.probe({ timeout: '2s', ...spec });

beforeAll(() => probing.guard.start());
afterAll(() => probing.guard.stop());
afterEach(() => probing.stopServers());

describe('an HTTP check that looks into the body', () => {
  it('passes and fails by pattern and by JSON values', async () => {
    const body = JSON.stringify({ status: 'degraded', replicas: 2 });
    const port = await probing.listen(createHttpServer((_request, response) => response.end(body)));
    const url = `http://127.0.0.1:${port}/`;
    const json = (equals: string) => ({ url, expect: { json: [{ path: '$.status', equals }] } });
    expect(await probe(json('degraded'))).toMatchObject({ outcome: 'pass' });
    expect(await probe(json('ok'))).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'assert',
      detail: 'HTTP 200, but the body has $.status: "degraded", expected "ok"',
    });
    expect(await probe({ url, expect: { regex: '"replicas":[3-9]' } })).toMatchObject({
      outcome: 'fail',
      phase: 'assert',
    });
  });

  it('looks at the first 64 KiB only', async () => {
    const port = await probing.listen(
      createHttpServer((_request, response) => response.end(`${'x'.repeat(70_000)}needle`)),
    );
    const url = `http://127.0.0.1:${port}/`;
    expect(await probe({ url, expect: { regex: 'needle' } })).toMatchObject({ outcome: 'fail', phase: 'assert' });
    expect(await probe({ url, expect: { regex: 'x{100}' } })).toMatchObject({ outcome: 'pass' });
  });

  it('asks for the name it is given, and verifies it', async () => {
    const { key, cert } = await selfSigned(10);
    let asked: string | false | null = null;
    const server = createHttpsServer({ key, cert }, (_request, response) => response.end('ok'));
    server.on('secureConnection', (socket: { servername?: string | false }) => (asked = socket.servername ?? null));
    const port = await probing.listen(server);
    const url = `https://127.0.0.1:${port}/`;
    expect(await probe({ url, serverName: 'edge.test', tlsVerify: false })).toMatchObject({ outcome: 'pass' });
    expect(asked).toBe('edge.test');
  });
});

describe('a DNS check', () => {
  it('asserts code and answers', async () => {
    const names = new NameServer();
    const server = await names.start();
    names.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 2], others: [[10, 0, 0, 1]] });
    names.zones.set('broken.test', { rcode: SERVFAIL });
    const spec = { type: 'dns', name: 'edge.test', server };
    const result = await probe(spec);
    expect(result).toMatchObject({ outcome: 'pass', dns: { rcode: 'NOERROR', answers: ['10.0.0.1', '10.0.0.2'] } });
    const expecting = (match: string, ...wanted: string[]) => probe({ ...spec, match, expect: wanted });
    expect(await expecting('any', '10.0.0.9', '10.0.0.1')).toMatchObject({ outcome: 'pass' });
    expect(await expecting('any', '10.0.0.9')).toMatchObject({ outcome: 'fail', phase: 'assert' });
    expect(await expecting('exact', '10.0.0.1', '10.0.0.2')).toMatchObject({ outcome: 'pass' });
    expect(await expecting('exact', '10.0.0.1')).toMatchObject({
      outcome: 'fail',
      detail: 'edge.test A is also 10.0.0.2',
    });
    expect(await probe({ ...spec, name: 'gone.test', rcode: 'NXDOMAIN' })).toMatchObject({
      outcome: 'pass',
      detail: 'gone.test NXDOMAIN, as expected',
      dns: { rcode: 'NXDOMAIN', answers: [] },
    });
    expect(await probe({ ...spec, rcode: 'NXDOMAIN' })).toMatchObject({ outcome: 'fail', phase: 'assert' });
    expect(await probe({ ...spec, name: 'broken.test' })).toMatchObject({
      outcome: 'fail',
      dns: { rcode: 'SERVFAIL' },
    });
    names.stop();
  });
});

describe('an ICMP check', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tocsin-ping-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A stand-in for `ping`: its exit codes are those of iputils. */
  async function helper(name: string, script: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }

  async function echo(ping: string | undefined, timeout = '2s') {
    const check = probing.check({ type: 'icmp', host: '127.0.0.1', timeout });
    return runCheck(check, { ...probing.deps, ...(ping === undefined ? {} : { ping }) });
  }

  it('passes where ping is answered, fails where it is not', async () => {
    expect(await echo(await helper('yes', '[ "$6" = 2 ] && [ "$7" = 127.0.0.1 ]'))).toMatchObject({
      outcome: 'pass',
      detail: '127.0.0.1 answers an echo request',
    });
    expect(await echo(await helper('no', 'exit 1'))).toMatchObject({
      outcome: 'fail',
      origin: 'remote',
      phase: 'request',
    });
  });

  it('says nothing of the target where ping itself is in trouble, or there is none, or it is off', async () => {
    const trouble = [await helper('trouble', 'exit 2'), join(folder, 'missing'), undefined];
    for (const ping of trouble) expect(await echo(ping)).toMatchObject({ outcome: 'fail', origin: 'local' });
  });

  it('ends at its deadline, and leaves no process behind', async () => {
    const hangs = await helper('hangs', `echo $$ > ${join(folder, 'pid')}; exec sleep 60`);
    const startedMs = performance.now();
    expect(await echo(hangs, '500ms')).toMatchObject({ outcome: 'fail', origin: 'remote', phase: 'deadline' });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    await expect.poll(() => alive(pid), { timeout: 5_000 }).toBe(false);
  });

  it('can be tried before it is declared', async () => {
    expect(await icmpFault(await helper('fine', 'exit 0'))).toBeUndefined();
    expect(await icmpFault(await helper('forbidden', 'exit 2'))).toContain('does not reach this machine itself (2)');
    expect(await icmpFault(join(folder, 'missing'))).toContain('ENOENT');
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a look at a certificate', () => {
  async function look(spec: Record<string, unknown>): Promise<CertificateSeen> {
    const place = certificatePlaceOf(probing.check({ timeout: '2s', ...spec }));
    if (place === undefined) throw new Error('no certificate there');
    const found = await lookAtCertificate(place, probing.deps);
    if (found.kind !== 'seen') throw new Error(found.detail);
    return found.certificate;
  }

  it('sees names, dates, whom it is for and why nobody should believe it, also where the check itself ends before', async () => {
    const { key, cert } = await selfSigned(100);
    const port = await probing.listen(createTlsServer({ key, cert }, (socket) => socket.on('error', () => undefined)));
    const https = { type: 'http', url: `https://127.0.0.1:${port}/`, serverName: 'edge.test' };
    const seen = await look(https);
    expect(seen).toMatchObject({
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      names: ['edge.test'],
      issuer: 'CN=edge.test',
      matches: true,
      distrust: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(Math.round((seen.notAfterMs - seen.notBeforeMs) / 86_400_000)).toBe(100);
    expect(await look({ type: 'tls', host: '127.0.0.1', port })).toMatchObject({ matches: false });
    const careless = await look({ type: 'tls', host: '127.0.0.1', port, tlsVerify: false });
    expect(careless).toMatchObject({ matches: true });
    expect(careless.distrust).toBeUndefined();
    expect(await look({ type: 'grpc', host: '127.0.0.1', port, tls: true })).toMatchObject({ matches: false });
  });

  it('ends at the deadline of the check where nothing is shown', async () => {
    const port = await probing.listen(createTcpServer(() => undefined));
    const place = certificatePlaceOf(probing.check({ type: 'tls', host: '127.0.0.1', port, timeout: '300ms' }));
    const found = await lookAtCertificate(place!, probing.deps);
    expect(found).toEqual({ kind: 'unseen', detail: `no TLS handshake with 127.0.0.1:${port} within 300ms` });
  });

  it('is made where a check speaks TLS, and nowhere else', () => {
    const place = (spec: Record<string, unknown>) => certificatePlaceOf(probing.check(spec));
    expect(place({ type: 'http', url: 'http://edge.test/' })).toBeUndefined();
    expect(place({ type: 'grpc', host: 'edge.test', port: 1 })).toBeUndefined();
    expect(place({ type: 'heartbeat' })).toBeUndefined();
    expect(place({ type: 'http', url: 'https://edge.test/' })).toMatchObject({ host: 'edge.test', port: 443 });
    expect(place({ type: 'heartbeat', active: { type: 'tls', host: 'edge.test' } })).toMatchObject({ port: 443 });
  });
});

describe('a heartbeat', () => {
  it('is checked by its active check, and by nothing where it has none', async () => {
    const port = await probing.listen(createHttpServer((_request, response) => response.end('ok')));
    const active = { type: 'http', url: `http://127.0.0.1:${port}/` };
    const check = probing.heartbeat({ active });
    expect(await runCheck(check, probing.deps)).toMatchObject({ kind: 'result', outcome: 'pass' });
    expect(peerOf(check)).toBe(`127.0.0.1:${port}`);
    expect(await runCheck(probing.heartbeat({}), probing.deps)).toMatchObject({ kind: 'void' });
  });
});
