/**
 * Why an attempt got no answer.
 * - `dns`: the name does not resolve, or not in time
 * - `refused`: nobody listens there, or the host says it is unreachable
 * - `reset`: the connection broke before the status line was complete
 * - `timeout`: a phase or the whole attempt took too long
 * - `tls`: no trusted TLS session came about
 * - `egress-blocked`: the policy refuses the URL or one of its addresses; nothing was sent
 * - `protocol`: what came back is not HTTP
 * - `local`: this machine could not even try (no file descriptors, no ports, no route of its own)
 * - `aborted`: this process is shutting down
 */
export type AttemptErrorClass =
  'dns' | 'refused' | 'reset' | 'timeout' | 'tls' | 'egress-blocked' | 'protocol' | 'local' | 'aborted';

/**
 * Some services answer 200 and say no in the body, and mail servers count otherwise than HTTP. What such a no means:
 * `passing`: ask again later; `request`: about this one message; `auth`: about who we are or how the destination is set up.
 */
export type Rejection = 'passing' | 'request' | 'auth';

/** The part of an attempt's outcome that decides what happens next. `rejected` overrules the status. */
export type AttemptResult =
  { kind: 'response'; status: number; rejected?: Rejection } | { kind: 'error'; errorClass: AttemptErrorClass };

/**
 * What an outcome means for the delivery.
 * - `success`: delivered
 * - `retry`: the whole schedule
 * - `retry-limited`: the first {@link LIMITED_RETRIES} retries, then dead: deploys heal, contract bugs don't
 * - `dead`: at once, a retry cannot heal it
 * - `gone`: the receiver wants no more (410): disable the subscription and park what waits
 * - `misconfigured`: a redirect, which is never followed: the whole schedule, and `subscription.misconfigured` once
 * - `auth`: the whole schedule, and `subscription.auth-failing` once
 * - `blocked`: nothing was sent; re-resolve {@link BLOCKED_RETRIES} times, then disable the subscription
 * - `interrupted`: this process is stopping; the attempt does not count and is made again
 */
export type Verdict =
  'success' | 'retry' | 'retry-limited' | 'dead' | 'gone' | 'misconfigured' | 'auth' | 'blocked' | 'interrupted';

/** 413, 414, 415, 431: the same request will be as large, and of the same type, the next time. */
const HOPELESS = new Set([413, 414, 415, 431]);
/** 408, 425, 429: client errors that speak about the moment, not about the request. */
const PASSING = new Set([408, 425, 429]);

const REJECTIONS = { passing: 'retry', request: 'retry-limited', auth: 'auth' } as const;

/** What the outcome of one attempt means. By the status line alone: a bad body never turns a success into a failure. */
export function classifyOutcome(result: AttemptResult): Verdict {
  if (result.kind === 'error') {
    if (result.errorClass === 'egress-blocked') return 'blocked';
    return result.errorClass === 'aborted' ? 'interrupted' : 'retry';
  }
  const { status, rejected } = result;
  if (rejected !== undefined) return REJECTIONS[rejected];
  if (status >= 200 && status <= 299) return 'success';
  if (status >= 300 && status <= 399) return 'misconfigured';
  if (status === 410) return 'gone';
  if (status === 401 || status === 403) return 'auth';
  if (HOPELESS.has(status)) return 'dead';
  if (PASSING.has(status)) return 'retry';
  if (status >= 400 && status <= 499) return 'retry-limited';
  return 'retry';
}
