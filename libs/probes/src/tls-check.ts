import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { degraded, failed, findingOfCode, passed, type Finding } from './finding.js';
import type { NameResolver } from './name-resolver.js';

/** With so much of its lifetime left a certificate should have been renewed: a share, because lifetimes shrink to 47 days. */
const DEGRADED_SHARE = 0.1;
const DAY_MS = 86_400_000;

/**
 * Looks at the certificate a server shows. It fails where it is not trusted, not for this name, or out of its dates; it is
 * degraded where it is about to be.
 * @param nowMs wall-clock time
 */
export async function checkTls(
  check: TlsCheck,
  attempt: Attempt,
  resolver: NameResolver,
  nowMs: number,
): Promise<Finding> {
  const name = check.serverName ?? check.host;
  const tls = { serverName: isIP(name) === 0 ? name : undefined, verify: false, protocol: undefined };
  const socket = (await openConnection(check.host, check.port, attempt, resolver, tls)) as TLSSocket;
  const certificate = socket.getPeerX509Certificate();
  attempt.enter('assert');
  if (certificate === undefined) return failed('tls', `${attempt.peer} shows no certificate`);
  const fromMs = Date.parse(certificate.validFrom);
  const toMs = Date.parse(certificate.validTo);
  const until = new Date(toMs).toISOString().slice(0, 10);
  if (nowMs >= toMs) return failed('assert', `the certificate of ${attempt.peer} has expired on ${until}`);
  if (nowMs < fromMs) return failed('assert', `the certificate of ${attempt.peer} is not valid yet`);
  if (check.tlsVerify && !socket.authorized) {
    // Node gives the code of what is wrong here, although its types say Error.
    return { ...findingOfCode(String(socket.authorizationError), attempt), phase: 'tls' };
  }
  const share = (toMs - nowMs) / (toMs - fromMs);
  const left = `${Math.floor((toMs - nowMs) / DAY_MS)} days, ${Math.floor(share * 100)} % of its lifetime`;
  if (share < DEGRADED_SHARE) return degraded(`the certificate of ${attempt.peer} has ${left} left, until ${until}`);
  return passed(`certificate valid until ${until}: ${left}`);
}
