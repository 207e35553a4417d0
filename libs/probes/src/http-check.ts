import { request, type IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { HttpCheck } from '@tocsin/contracts';
import { parseDuration } from '@tocsin/domain';
import type { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { degraded, failed, passed, type Finding } from './finding.js';
import type { NameResolver } from './name-resolver.js';
import { statusMatches } from './status-set.js';

/** As much of a body is read as any honest health page needs. */
const MAX_BODY_BYTES = 64 * 1024;
/** And as many header bytes, so that no target fills the observer's memory. */
const MAX_HEADER_BYTES = 64 * 1024;

/** GETs the URL on a fresh connection and looks at the status and, where wished, the body. Follows no redirect. */
export async function checkHttp(
  check: HttpCheck,
  attempt: Attempt,
  resolver: NameResolver,
  userAgent: string,
): Promise<Finding> {
  const url = new URL(check.url);
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const serverName = isIP(host) === 0 ? host : undefined;
  const tls = secure ? { serverName, verify: check.tlsVerify, protocol: 'http/1.1' as const } : undefined;
  const socket = await openConnection(host, port, attempt, resolver, tls);
  attempt.enter('request');
  const response = await send(check, url, socket, userAgent);
  const body = await readBody(response, socket);
  attempt.enter('assert');
  return judge(check, response.statusCode ?? 0, body, attempt.durationMs);
}

function send(check: HttpCheck, url: URL, socket: Socket, userAgent: string): Promise<IncomingMessage> {
  const given = new Set(Object.keys(check.headers).map((name) => name.toLowerCase()));
  const headers: Record<string, string> = { ...check.headers };
  const own = { host: url.host, 'user-agent': userAgent, accept: '*/*' };
  for (const [name, value] of Object.entries(own)) if (!given.has(name)) headers[name] = value;
  if (check.method === 'POST' && !given.has('content-length')) headers['content-length'] = '0';
  return new Promise((resolve, reject) => {
    // A connection of its own and no agent: nothing is pooled, and `connection: close` is sent.
    const outgoing = request({
      createConnection: () => socket,
      method: check.method,
      path: `${url.pathname}${url.search}`,
      headers,
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.on('upgrade', (response) => resolve(response));
    outgoing.end();
  });
}

function readBody(response: IncomingMessage, socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const finish = () => resolve(Buffer.concat(chunks, bytes).subarray(0, MAX_BODY_BYTES));
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < MAX_BODY_BYTES) return;
      finish();
      socket.destroy();
    });
    response.on('end', finish);
    response.on('error', reject);
  });
}

function judge(check: HttpCheck, status: number, body: Buffer, durationMs: number): Finding {
  if (!statusMatches(check.expect.status, status)) {
    return failed('assert', `HTTP ${status}, expected ${check.expect.status.join(' or ')}`);
  }
  if (check.expect.body !== undefined && !body.includes(check.expect.body)) {
    return failed('assert', `HTTP ${status}, but the body does not contain ${JSON.stringify(check.expect.body)}`);
  }
  const { degradedAfter } = check;
  if (degradedAfter !== undefined && durationMs > (parseDuration(degradedAfter) ?? Infinity)) {
    return degraded(`HTTP ${status}, but after ${Math.round(durationMs)}ms, more than ${degradedAfter}`);
  }
  return passed(`HTTP ${status}`);
}
