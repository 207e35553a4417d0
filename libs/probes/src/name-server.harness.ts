import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

export const NOERROR = 0;
export const SERVFAIL = 2;
const NXDOMAIN = 3;
const TYPE_A = 1;

interface Zone {
  rcode: number;
  address?: [number, number, number, number];
  /** Further ones, after the first. */
  others?: [number, number, number, number][];
  ttl?: number;
}

/** A DNS server of one answer section: enough to see what a resolver does with it. */
export class NameServer {
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
  const addresses = type === TYPE_A && zone.address !== undefined ? [zone.address, ...(zone.others ?? [])] : [];
  reply.writeUInt16BE(0x8180 | zone.rcode, 2);
  reply.writeUInt16BE(addresses.length, 6);
  reply.writeUInt16BE(0, 8);
  reply.writeUInt16BE(0, 10);
  return Buffer.concat([reply, ...addresses.map((address) => recordOf(address, zone.ttl ?? 300))]);
}

function recordOf(address: [number, number, number, number], ttl: number): Buffer {
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(ttl, 6);
  record.writeUInt16BE(4, 10);
  record.set(address, 12);
  return record;
}
