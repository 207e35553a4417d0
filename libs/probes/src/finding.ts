import type { ProbePhase, ProbeResult } from '@tocsin/domain';
import type { Attempt } from './attempt.js';
import { codeOf, isLocalFault } from './local-fault.js';
import { ResolveError } from './name-resolver.js';

/** What a checker found out. */
export type Finding = Pick<ProbeResult, 'outcome' | 'origin' | 'phase' | 'detail' | 'dns'>;

/** The target answered as it should. */
export function passed(detail: string): Finding {
  return { outcome: 'pass', origin: 'remote', detail };
}

/** It answered, but not as well as it should. */
export function degraded(detail: string): Finding {
  return { outcome: 'degraded', origin: 'remote', phase: 'assert', detail };
}

/** The target did not. */
export function failed(phase: ProbePhase, detail: string): Finding {
  return { outcome: 'fail', origin: 'remote', phase, detail };
}

/** What an error on the way means, by its code alone. */
export function findingOf(error: unknown, attempt: Attempt): Finding {
  if (error instanceof ResolveError) {
    return { outcome: 'fail', origin: error.origin, phase: 'dns', detail: error.message };
  }
  return findingOfCode(codeOf(error), attempt);
}

/** The same, by a system or TLS error code. */
export function findingOfCode(code: string, attempt: Attempt): Finding {
  const origin = isLocalFault(code) ? 'local' : 'remote';
  return { outcome: 'fail', origin, phase: attempt.phase, detail: sentence(code, attempt) };
}

function sentence(code: string, attempt: Attempt): string {
  const { peer } = attempt;
  switch (code) {
    case 'ECONNREFUSED':
      return `connection refused by ${peer}`;
    case 'ECONNRESET':
    case 'EPIPE':
      return attempt.phase === 'request'
        ? `${peer} closed the connection before its answer was complete`
        : `connection reset by ${peer}`;
    case 'EHOSTUNREACH':
      return `no route to ${peer}`;
    case 'ETIMEDOUT':
      return `no connection to ${peer}: the system gave up`;
    case 'EMFILE':
    case 'ENFILE':
      return 'the observer has no file descriptor left';
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return 'the observer has no route out';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return `the certificate of ${peer} is self-signed`;
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the certificate of ${peer} is signed by nobody this observer trusts`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${peer} has expired`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${peer} is not valid yet`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${peer} is for another name`;
    case '':
      return `${attempt.phase} with ${peer} failed`;
    default:
      if (code.startsWith('HPE_')) return `${peer} does not answer in HTTP (${code})`;
      return `${attempt.phase} with ${peer} failed (${code})`;
  }
}
