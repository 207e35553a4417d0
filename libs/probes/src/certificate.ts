import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Check, ProbeCheck } from '@tocsin/contracts';
import { parseDuration, type CertificateSeen } from '@tocsin/domain';
import { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { findingOf } from './finding.js';
import { codeOf } from './local-fault.js';
import type { ProbeDeps } from './run-check.js';

/** More names than these say no more to anybody. */
const MOST_NAMES = 100;

/** Where a check meets a certificate. */
export interface CertificatePlace {
  host: string;
  port: number;
  /** Name that is asked for and that the certificate must hold; an address where the host is one. */
  serverName: string;
  /** False: the check does not care who signed it and for whom. */
  verify: boolean;
  timeoutMs: number;
}

/** What a look at a certificate has brought. */
export type CertificateLook = { kind: 'seen'; certificate: CertificateSeen } | { kind: 'unseen'; detail: string };

/** Where the check speaks TLS, where it does. Of a heartbeat: the check that stands in for it. */
export function certificatePlaceOf(check: Check): CertificatePlace | undefined {
  const probe: ProbeCheck | undefined = check.type === 'heartbeat' ? check.active : check;
  const timeoutMs = parseDuration(probe?.timeout ?? '') ?? 0;
  switch (probe?.type) {
    case 'http': {
      const url = new URL(probe.url);
      if (url.protocol !== 'https:') return undefined;
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const port = url.port === '' ? 443 : Number(url.port);
      return { host, port, serverName: probe.serverName ?? host, verify: probe.tlsVerify, timeoutMs };
    }
    case 'grpc': {
      const { host, port, tlsVerify } = probe;
      return probe.tls ? { host, port, serverName: host, verify: tlsVerify, timeoutMs } : undefined;
    }
    case 'tls': {
      const { host, port, serverName, tlsVerify } = probe;
      return { host, port, serverName: serverName ?? host, verify: tlsVerify, timeoutMs };
    }
    default:
      return undefined;
  }
}

/** Looks at the certificate that is shown there, whatever it is, on a fresh connection and within the time of the check. Never throws. */
export async function lookAtCertificate(place: CertificatePlace, deps: ProbeDeps): Promise<CertificateLook> {
  const attempt = new Attempt(deps.clock, place.timeoutMs, `${place.host}:${place.port}`);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CertificateLook>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'unseen', detail: attempt.unfinished() }), place.timeoutMs);
  });
  try {
    return await Promise.race([look(place, attempt, deps), late]);
  } finally {
    clearTimeout(timer);
    attempt.end();
  }
}

async function look(place: CertificatePlace, attempt: Attempt, { resolver }: ProbeDeps): Promise<CertificateLook> {
  const { host, port, serverName } = place;
  const asked = isIP(serverName) === 0 ? serverName : undefined;
  try {
    const tls = { serverName: asked, verify: false, protocol: undefined };
    const socket = (await openConnection(host, port, attempt, resolver, tls)) as TLSSocket;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return { kind: 'unseen', detail: `${attempt.peer} shows no certificate` };
    const matches = asked === undefined ? certificate.checkIP(serverName) : certificate.checkHost(serverName);
    return {
      kind: 'seen',
      certificate: {
        fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
        notBeforeMs: Date.parse(certificate.validFrom),
        notAfterMs: Date.parse(certificate.validTo),
        issuer: oneLine(certificate.issuer),
        names: namesIn(certificate.subjectAltName, certificate.subject),
        ...(place.verify ? { matches: matches !== undefined, ...distrust(socket) } : { matches: true }),
      },
    };
  } catch (error) {
    return { kind: 'unseen', detail: findingOf(error, attempt).detail };
  }
}

/** Why nobody should believe it. Dates and names are told apart from that, and looked at by themselves. */
function distrust(socket: TLSSocket): { distrust?: string } {
  if (socket.authorized) return {};
  // Node gives the code of what is wrong here, although its types say Error.
  const fault: unknown = socket.authorizationError;
  const code = typeof fault === 'string' ? fault : codeOf(fault);
  return ['CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'].includes(code) ? {} : { distrust: code };
}

function namesIn(alternatives: string | undefined, subject: string): string[] {
  if (alternatives === undefined) return [oneLine(subject)];
  return alternatives
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, ''))
    .toSorted()
    .slice(0, MOST_NAMES);
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
