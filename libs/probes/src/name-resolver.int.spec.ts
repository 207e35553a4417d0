import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Clock } from '@tocsin/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NameResolver } from './name-resolver.js';

const NOERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const TYPE_A = 1;

interface Zone {
  rcode: number;
  address?: [number, number, number, number];
  ttl?: number;
}

/** A DNS server of one answer section: enough to see what a resolver does with it. */
class NameServer {
  readonly zones = new Map<string, Zone>();
  readonly asked: string[] = [];
  readonly #socket: Socket = createSocket('udp4');
  silent = false;

  async start(): Promise<string> {
    this.#socket.on('message', (query, peer) => {
      if (this.silent) return;
      const { name, type, end } = question(query);
      if (type === TYPE_A) this.asked.push(name);
      const zone = this.zones.get(name) ?? { rcode: NXDOMAIN };
      this.#socket.send(answer(query, end, zone, type), peer.port, peer.address);
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#socket.close();
  }
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function answer(query: Buffer, end: number, zone: Zone, type: number): Buffer {
  const reply = Buffer.from(query.subarray(0, end));
  const address = type === TYPE_A ? zone.address : undefined;
  reply.writeUInt16BE(0x8180 | zone.rcode, 2);
  reply.writeUInt16BE(address === undefined ? 0 : 1, 6);
  reply.writeUInt16BE(0, 8);
  reply.writeUInt16BE(0, 10);
  if (address === undefined) return reply;
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(zone.ttl ?? 300, 6);
  record.writeUInt16BE(4, 10);
  record.set(address, 12);
  return Buffer.concat([reply, record]);
}

describe('the name resolver', () => {
  let server: NameServer;
  let resolver: NameResolver;
  let aheadMs: number;
  const clock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() + aheadMs };

  beforeEach(async () => {
    aheadMs = 0;
    server = new NameServer();
    resolver = new NameResolver({ clock, servers: [await server.start()], hostsFile: '/nonexistent' });
    server.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 1], ttl: 300 });
  });
  afterEach(() => {
    resolver.close();
    server.stop();
  });

  it('keeps an answer for its time to live, but a minute at most', async () => {
    expect(await resolver.resolve('Edge.test.')).toEqual(['10.0.0.1']);
    aheadMs = 59_000;
    await resolver.resolve('edge.test');
    expect(server.asked).toEqual(['edge.test']);
    server.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 2], ttl: 5 });
    aheadMs = 61_000;
    expect(await resolver.resolve('edge.test')).toEqual(['10.0.0.2']);
    aheadMs = 67_000;
    await resolver.resolve('edge.test');
    expect(server.asked).toHaveLength(3);
  });

  it('asks once for many that want to know at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => resolver.resolve('edge.test')));
    expect(server.asked).toEqual(['edge.test']);
  });

  it('takes a missing name for the truth about the target', async () => {
    await expect(resolver.resolve('nobody.test')).rejects.toMatchObject({
      origin: 'remote',
      message: 'nobody.test has no address',
    });
  });

  it('blames itself when its server fails, and goes on with the old address', async () => {
    await resolver.resolve('edge.test');
    aheadMs = 120_000;
    server.zones.set('edge.test', { rcode: SERVFAIL });
    server.zones.set('other.test', { rcode: SERVFAIL });
    expect(await resolver.resolve('edge.test')).toEqual(['10.0.0.1']);
    await expect(resolver.resolve('other.test')).rejects.toMatchObject({ origin: 'local' });
  });

  it('blames the zone when its server fails for that name alone', async () => {
    server.zones.set('broken.test', { rcode: SERVFAIL });
    await resolver.resolve('edge.test');
    await expect(resolver.resolve('broken.test')).rejects.toMatchObject({ origin: 'remote' });
  });

  it('blames itself when nothing answers', async () => {
    server.silent = true;
    await expect(resolver.resolve('edge.test')).rejects.toMatchObject({ origin: 'local' });
  });

  it('needs nobody for addresses and localhost', async () => {
    server.silent = true;
    expect(await resolver.resolve('::1')).toEqual(['::1']);
    expect(await resolver.resolve('localhost')).toEqual(['127.0.0.1', '::1']);
  });
});
