import type { AttemptErrorClass, Rejection } from '@tocsin/domain';

/** Where an attempt was when it ended. */
export type AttemptPhase = 'dns' | 'connect' | 'tls' | 'ttfb' | 'body';

/** Milliseconds an attempt spent, by phase; a phase that did not take place (reused connection, plain http) is absent. */
export interface PhasesMs {
  dns?: number;
  connect?: number;
  tls?: number;
  /** From the request going out to the complete status line and headers. */
  ttfb?: number;
  total: number;
}

/** What every attempt leaves behind, however it ended. */
interface AttemptFacts {
  phasesMs: PhasesMs;
  /** Where it was sent, `address:port`; absent if no connection came about. */
  address?: string;
  /** An existing connection was used again. */
  reused: boolean;
  /** Body bytes sent. */
  requestBytes: number;
  /** Body bytes read; reading stops at the cap. */
  responseBytes: number;
  /** First 4 KiB of the body as text, never decompressed; empty if there was none. */
  bodyHead: string;
  /** What `Retry-After` asks for, milliseconds from now; only on answers other than 2xx. */
  retryAfterMs?: number;
  /** Which request of a delivery that takes several this speaks of, e.g. `token`; absent where there is one. */
  step?: string;
}

/** A status line arrived. */
export interface AttemptResponse extends AttemptFacts {
  kind: 'response';
  status: number;
  /** The answer says no in another way than by its status. */
  rejected?: Rejection;
  /** Response headers worth keeping, lower case, values cut. */
  headers: Record<string, string>;
  /** The body ended before the cap and the deadline. False says nothing about success. */
  bodyComplete: boolean;
}

/** No status line arrived. */
export interface AttemptError extends AttemptFacts {
  kind: 'error';
  errorClass: AttemptErrorClass;
  /** The phase in which it failed; absent if nothing was begun. */
  phase?: AttemptPhase;
  /** For people: what happened, without any part of the URL but host and port. */
  detail: string;
}

/** How one attempt ended. A failed one is an outcome, not an exception. */
export type AttemptOutcome = AttemptResponse | AttemptError;

/** Ends an attempt from within; never leaves this library. */
export class AttemptFailure extends Error {
  constructor(
    readonly errorClass: AttemptErrorClass,
    readonly phase: AttemptPhase | undefined,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'AttemptFailure';
  }
}

/** Faults of this machine: they say nothing about the receiver. */
const LOCAL = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'ENETUNREACH',
  'ENETDOWN',
  'EACCES',
  'EPERM',
]);
const REFUSED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN']);
const RESET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);
const TIMEOUT = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** Sorts an error of a driver by its code (never by its text) and the phase it came up in. */
export function failureOf(error: unknown, phase: AttemptPhase): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== '' ? error.message : code;
  return new AttemptFailure(classOf(code, phase), phase, message, { cause: error });
}

function classOf(code: string, phase: AttemptPhase): AttemptErrorClass {
  if (LOCAL.has(code)) return 'local';
  if (phase === 'dns') return 'dns';
  if (REFUSED.has(code)) return 'refused';
  if (TIMEOUT.has(code)) return 'timeout';
  if (RESET.has(code)) return 'reset';
  // A receiver that wants a client certificate says so with an alert after the handshake (TLS 1.3).
  if (phase === 'tls' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return 'tls';
  return 'protocol';
}

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}
