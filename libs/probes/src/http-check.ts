import { isIP } from 'node:net';
import type { HttpCheck } from '@tocsin/contracts';
import { parseDuration } from '@tocsin/domain';
import type { Attempt } from './attempt.js';
import { bodyFault } from './body-assertions.js';
import { openConnection, type TlsWish } from './connection.js';
import { degraded, failed, passed, type Finding } from './finding.js';
import { AnswerReader } from './http-answer.js';
import type { NameResolver } from './name-resolver.js';
import { statusMatches } from './status-set.js';

/** What a check comes down to, the same at every probe. */
interface Prepared {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsWish | undefined;
  readonly userAgent: string;
  /** Request line and header fields. */
  readonly request: string;
}

/** By declaration: a target is probed for as long as its declaration holds, and what it says is read once. */
const prepared = new WeakMap<HttpCheck, Prepared>();

/** GETs the URL on a fresh connection and looks at the status and, where wished, the body. Follows no redirect. */
export async function checkHttp(
  check: HttpCheck,
  attempt: Attempt,
  resolver: NameResolver,
  userAgent: string,
): Promise<Finding> {
  const { host, port, tls, request } = prepare(check, userAgent);
  const socket = await openConnection(host, port, attempt, resolver, tls);
  attempt.enter('request');
  const answer = new AnswerReader(check.method).read(socket);
  socket.write(request, 'latin1');
  const { status, body } = await answer;
  attempt.enter('assert');
  return judge(check, status, body, attempt.durationMs);
}

function prepare(check: HttpCheck, userAgent: string): Prepared {
  const known = prepared.get(check);
  if (known?.userAgent === userAgent) return known;
  const url = new URL(check.url);
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const name = check.serverName ?? host;
  const made: Prepared = {
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    tls: secure
      ? { serverName: isIP(name) === 0 ? name : undefined, verify: check.tlsVerify, protocol: 'http/1.1' }
      : undefined,
    userAgent,
    request: requestText(check, url, userAgent),
  };
  prepared.set(check, made);
  return made;
}

/** The schema has checked names and values of the header fields; a URL's own parts hold no line ends. */
function requestText(check: HttpCheck, url: URL, userAgent: string): string {
  const given = new Set(Object.keys(check.headers).map((name) => name.toLowerCase()));
  const own = {
    host: url.host,
    'user-agent': userAgent,
    accept: '*/*',
    // Nothing is reused: a connection that was good a minute ago hides what is wrong now.
    connection: 'close',
    ...(check.method === 'POST' ? { 'content-length': '0' } : {}),
  };
  const fields = [...Object.entries(check.headers), ...Object.entries(own).filter(([name]) => !given.has(name))];
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${check.method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines}\r\n`;
}

function judge(check: HttpCheck, status: number, body: Buffer, durationMs: number): Finding {
  if (!statusMatches(check.expect.status, status)) {
    return failed('assert', `HTTP ${status}, expected ${check.expect.status.join(' or ')}`);
  }
  const fault = bodyFault(check.expect, body);
  if (fault !== undefined) return failed('assert', `HTTP ${status}, but the body ${fault}`);
  const { degradedAfter } = check;
  if (degradedAfter !== undefined && durationMs > (parseDuration(degradedAfter) ?? Infinity)) {
    return degraded(`HTTP ${status}, but after ${Math.round(durationMs)}ms, more than ${degradedAfter}`);
  }
  return passed(`HTTP ${status}`);
}
