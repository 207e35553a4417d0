import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { promisify } from 'node:util';
import { isWithheld } from '@tocsin/domain';
import { eventually } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObserverWorld } from './observer.harness.js';

const QUICK = { interval: '200ms', fastInterval: '100ms', timeout: '1s' };

let world: ObserverWorld;

beforeEach(async () => {
  world = await ObserverWorld.start();
});
afterEach(() => world.close());

/** A self-signed certificate for `edge.test`. */
async function certificate(days: number): Promise<{ key: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-facts-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days)],
    ...['-keyout', keyFile, '-out', certFile, '-subj', '/CN=edge.test', '-addext', 'subjectAltName=DNS:edge.test'],
  ]);
  const made = { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
  await rm(folder, { recursive: true });
  return made;
}

/** Facts about a subject, those that are told to nobody in brackets. */
function facts(subject: string): string[] {
  return world.recorder.events
    .filter((event) => event.subject === subject)
    .map((event) => {
      const fact = event.type.replace('io.tocsin.', '');
      return isWithheld(event) ? `(${fact})` : fact;
    });
}

async function recorded(subject: string, expected: string[]): Promise<void> {
  await eventually(() => JSON.stringify(facts(subject)) === JSON.stringify(expected), {
    what: `${subject}: ${expected.join()}`,
    timeoutMs: 20_000,
  }).catch((error: unknown) => {
    throw new Error(`recorded instead: ${facts(subject).join()}`, { cause: error });
  });
}

describe('certificates', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('are told of once each, over restarts of the observer', async () => {
    server = createServer(await certificate(10), (socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const name = await world.declareCheck('edge-tls', {
      ...{ type: 'tls', host: '127.0.0.1', port, serverName: 'edge.test' },
      ...QUICK,
    });
    const subject = `certificate/${name}`;
    const first = await world.observe();
    await recorded(subject, ['(certificate.changed)', 'certificate.invalid']);
    await world.end(first);
    const second = await world.observe();
    await world.settle(2_000);
    expect(facts(subject)).toHaveLength(2);
    await world.end(second);

    server.setSecureContext(await certificate(20));
    await world.observe();
    const all = ['(certificate.changed)', 'certificate.invalid', 'certificate.renewed', 'certificate.invalid'];
    await recorded(subject, all);
    const [, invalid, renewed] = world.recorder.events.filter((event) => event.subject === subject);
    expect(invalid?.data).toMatchObject({ host: `127.0.0.1:${port}`, serverName: 'edge.test', names: ['edge.test'] });
    const { fingerprint } = { ...(invalid?.data as { fingerprint: string } | undefined) };
    expect(renewed?.data).toMatchObject({ previousFingerprint: fingerprint });
  });
});

describe('names', () => {
  let names: Socket | undefined;
  afterEach(() => names?.close());

  it('are told of when they are answered otherwise, when they fail and when they are back', async () => {
    let address: number[] | undefined = [10, 0, 0, 1];
    names = createSocket('udp4');
    names.on('message', (query, peer) => names?.send(answer(query, address), peer.port, peer.address));
    await new Promise<void>((resolve) => names?.bind(0, '127.0.0.1', resolve));
    const server = `127.0.0.1:${names.address().port}`;
    const name = await world.declareCheck('www', { type: 'dns', name: 'www.edge.test', server, ...QUICK });
    const subject = `dns/${name}`;
    await world.observe();
    await recorded(subject, ['(dns.changed)']);
    address = [10, 0, 0, 2];
    await recorded(subject, ['(dns.changed)', 'dns.changed']);
    address = undefined;
    await recorded(subject, ['(dns.changed)', 'dns.changed', 'dns.failing']);
    address = [10, 0, 0, 2];
    await recorded(subject, ['(dns.changed)', 'dns.changed', 'dns.failing', 'dns.recovered']);
    const [, , failing, recovered] = world.recorder.events.filter((event) => event.subject === subject);
    const offline = world.recorder.events.find((event) => event.type === 'io.tocsin.node.offline');
    expect(failing?.extensions['episode']).toBe(offline?.extensions['episode']);
    expect(recovered?.extensions['episode']).toBe(offline?.extensions['episode']);
    expect(failing?.data).toMatchObject({ name: 'www.edge.test', answers: ['10.0.0.2'], failing: true });
  });
});

/** One A record, or NXDOMAIN. */
function answer(query: Buffer, address: readonly number[] | undefined): Buffer {
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(address === undefined ? 0 : 1, 6);
  header.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...(address ?? [])]);
  return Buffer.concat([header, question, ...(address === undefined ? [] : [record])]);
}
