import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { isIP, type Socket } from 'node:net';
import type { GrpcCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { failed, passed, type Finding } from './finding.js';
import type { NameResolver } from './name-resolver.js';

const PATH = '/grpc.health.v1.Health/Check';
/** `HealthCheckResponse.ServingStatus` of grpc.health.v1. */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;
/** An honest answer has seven bytes. */
const MAX_BYTES = 64 * 1024;
/** Codes of gRPC that a health check meets, by number. */
const GRPC_CODES: Readonly<Record<string, string>> = {
  '5': 'NOT_FOUND: the server does not know this service',
  '7': 'PERMISSION_DENIED',
  '12': 'UNIMPLEMENTED: the server has no health service',
  '14': 'UNAVAILABLE',
  '16': 'UNAUTHENTICATED',
};

interface Answer {
  httpStatus: number;
  grpcStatus: string | undefined;
  body: Buffer;
}

/** Asks `grpc.health.v1.Health/Check` over HTTP/2 on a fresh connection. */
export async function checkGrpc(check: GrpcCheck, attempt: Attempt, resolver: NameResolver): Promise<Finding> {
  const serverName = isIP(check.host) === 0 ? check.host : undefined;
  const tls = check.tls ? { serverName, verify: check.tlsVerify, protocol: 'h2' as const } : undefined;
  const socket = await openConnection(check.host, check.port, attempt, resolver, tls);
  attempt.enter('request');
  const answer = await call(check, socket, attempt);
  attempt.enter('assert');
  if (answer.httpStatus !== 200) return failed('assert', `HTTP ${answer.httpStatus}, expected a gRPC answer`);
  if (answer.grpcStatus !== '0') {
    const code = answer.grpcStatus ?? 'missing';
    return failed('assert', `gRPC status ${GRPC_CODES[code] ?? code}`);
  }
  const status = servingStatus(answer.body);
  const name = SERVING_STATUS[status] ?? String(status);
  return status === SERVING ? passed(name) : failed('assert', `${name}, expected SERVING`);
}

function call(check: GrpcCheck, socket: Socket, attempt: Attempt): Promise<Answer> {
  const authority = `${check.tls ? 'https' : 'http'}://${check.host.includes(':') ? `[${check.host}]` : check.host}:${check.port}`;
  return new Promise((resolve, reject) => {
    const session: ClientHttp2Session = connect(authority, { createConnection: () => socket });
    attempt.hold({
      destroy: () => {
        session.destroy();
        socket.destroy();
      },
    });
    session.on('error', reject);
    session.on('close', () => {
      const error: NodeJS.ErrnoException = new Error('closed');
      error.code = 'ECONNRESET';
      reject(error);
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'tocsin-probe',
    });
    const answer: Answer = { httpStatus: 0, grpcStatus: undefined, body: Buffer.alloc(0) };
    stream.on('response', (headers) => {
      answer.httpStatus = headers[':status'] ?? 0;
      answer.grpcStatus = textOf(headers['grpc-status']);
    });
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (answer.grpcStatus ??= textOf(trailers['grpc-status'])));
    stream.on('data', (chunk: Buffer) => {
      answer.body = Buffer.concat([answer.body, chunk]);
      if (answer.body.length > MAX_BYTES) stream.close();
    });
    stream.on('error', reject);
    stream.on('end', () => resolve(answer));
    stream.end(requestOf(check.service));
  });
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** `HealthCheckRequest { service = 1 }` in one uncompressed gRPC message. Names are shorter than 16 KiB, so two bytes hold the length. */
function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** Field 1 (varint) of the message; 0 (UNKNOWN) where it is left out, as proto3 does with zero. */
function servingStatus(body: Buffer): number {
  const message = body.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
