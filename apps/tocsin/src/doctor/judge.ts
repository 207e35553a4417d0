import type { AttemptOutcome } from '@tocsin/webhook';
import type { CertificateLife } from './certificate.js';

/** `ok`; `warn`: works, but will hurt; `fail`: events will not arrive, or anybody may forge them; `skip`: was not looked at. */
export type Verdict = 'ok' | 'warn' | 'fail' | 'skip';

/** What one check found. */
export interface Finding {
  check: string;
  verdict: Verdict;
  /** One sentence: what was seen, and what to do about it. */
  detail: string;
}

/** Wall-clock limit of an attempt, which covers the whole answer. */
const DEADLINE_MS = 15_000;
/** From here on a busy day is likely to end in time-outs. */
const SLOW_MS = 5_000;
/** Time between the head of an answer and its end that is worth a word. */
const SLOW_BODY_MS = 1_000;
/** Bytes of an answer that are read. */
const READ_BYTES = 16 * 1024;
/** A certificate is warned about when a tenth of its life is left, as targets with a TLS check are. */
const LIFE_LEFT = 0.1;
const DAY_MS = 86_400_000;

const is2xx = (outcome: AttemptOutcome) => outcome.kind === 'response' && outcome.status >= 200 && outcome.status < 300;

/** What an outcome was, for people. */
export function outcomeText(outcome: AttemptOutcome): string {
  const took = `after ${Math.round(outcome.phasesMs.total)} ms`;
  if (outcome.kind === 'error')
    return `${outcome.errorClass}${outcome.phase === undefined ? '' : ` (${outcome.phase})`} ${took}: ${outcome.detail}`;
  return `HTTP ${outcome.status} ${took}`;
}

/** A valid, properly signed request. */
export function judgeAccepted(outcome: AttemptOutcome): Finding {
  const check = 'takes a signed request';
  if (is2xx(outcome)) return { check, verdict: 'ok', detail: outcomeText(outcome) };
  if (outcome.kind === 'error')
    return { check, verdict: 'fail', detail: `${outcomeText(outcome)}; Tocsin would try again for three days` };
  const { status } = outcome;
  return { check, verdict: 'fail', detail: `${outcomeText(outcome)}; ${meaningOf(status)}` };
}

function meaningOf(status: number): string {
  if (status >= 300 && status < 400) return 'redirects are never followed: give the address it leads to';
  if (status === 401 || status === 403)
    return 'the secret given here is not the one the receiver has, or it asks for another credential';
  if (status === 404 || status === 405) return 'no receiver takes a POST at this path';
  if (status === 410)
    return 'Tocsin would disable the subscription at once: 410 says that the receiver is gone for good';
  if ([413, 414, 415, 431].includes(status)) return 'Tocsin would give the event up at once: a retry cannot heal this';
  if (status === 429) return 'Tocsin would wait as Retry-After says, and try again';
  if (status >= 500) return 'Tocsin would try again for three days';
  return 'Tocsin would try again a few times, then give the event up';
}

/** How long a valid request took, against the deadline. */
export function judgeTime(outcome: AttemptOutcome): Finding {
  const check = 'answers in time';
  const { total, ttfb } = outcome.phasesMs;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  if (outcome.kind === 'error') {
    return outcome.errorClass === 'timeout'
      ? {
          check,
          verdict: 'fail',
          detail: `no answer within ${seconds(total)}; the limit is ${DEADLINE_MS / 1000} s for all of it. Answer first, work afterwards`,
        }
      : { check, verdict: 'skip', detail: 'there was no answer to time' };
  }
  if (total > SLOW_MS) {
    return {
      check,
      verdict: 'warn',
      detail: `${seconds(total)}; the limit is ${DEADLINE_MS / 1000} s. Answer first, work afterwards`,
    };
  }
  const bodyMs =
    ttfb === undefined
      ? 0
      : total - ttfb - (outcome.phasesMs.dns ?? 0) - (outcome.phasesMs.connect ?? 0) - (outcome.phasesMs.tls ?? 0);
  if (bodyMs > SLOW_BODY_MS) {
    return {
      check,
      verdict: 'warn',
      detail: `the status came quickly, but its body took another ${seconds(bodyMs)}: a connection is held for nothing`,
    };
  }
  return { check, verdict: 'ok', detail: `${Math.round(total)} ms of ${DEADLINE_MS / 1000} s` };
}

/** The body of an answer, which nobody reads. */
export function judgeBody(outcome: AttemptOutcome): Finding {
  const check = 'answers briefly';
  if (outcome.kind === 'error') return { check, verdict: 'skip', detail: 'there was no answer' };
  if (!outcome.bodyComplete) {
    const why = outcome.responseBytes >= READ_BYTES ? `is longer than ${READ_BYTES / 1024} KiB` : 'did not end in time';
    return {
      check,
      verdict: 'warn',
      detail: `the body ${why}; Tocsin closes the connection, and the next request needs a new one`,
    };
  }
  return { check, verdict: 'ok', detail: `${outcome.responseBytes} bytes` };
}

/** A request that must be refused; `what` says why. */
export function judgeRefused(check: string, outcome: AttemptOutcome, whatIfNot: string, verdict: Verdict): Finding {
  if (is2xx(outcome)) return { check, verdict, detail: `${outcomeText(outcome)}; ${whatIfNot}` };
  if (outcome.kind === 'error')
    return { check, verdict: 'warn', detail: `${outcomeText(outcome)}; refuse it by a status, 401 say` };
  if (outcome.status >= 500)
    return {
      check,
      verdict: 'warn',
      detail: `${outcomeText(outcome)}; a 5xx looks like an outage of the receiver: 401 says what it is`,
    };
  if (outcome.status >= 400) return { check, verdict: 'ok', detail: outcomeText(outcome) };
  return { check, verdict: 'warn', detail: `${outcomeText(outcome)}; 401 says what it is` };
}

/** The same request again, as it may come after a crash. */
export function judgeRepeat(outcome: AttemptOutcome): Finding {
  const check = 'takes a repeat';
  if (is2xx(outcome))
    return { check, verdict: 'ok', detail: `${outcomeText(outcome)}; remember webhook-id, so that it is handled once` };
  return {
    check,
    verdict: 'fail',
    detail: `${outcomeText(outcome)}; delivery is at least once, and a repeat that is refused is tried again and again`,
  };
}

/** A large event. */
export function judgeLarge(outcome: AttemptOutcome, bytes: number): Finding {
  const check = 'takes a large event';
  const size = `${Math.round(bytes / 1024)} KiB`;
  if (is2xx(outcome)) return { check, verdict: 'ok', detail: `${size}: ${outcomeText(outcome)}` };
  return { check, verdict: 'warn', detail: `${size}: ${outcomeText(outcome)}; events may be as large as 256 KiB` };
}

/** Several requests at once; a receiver may say "too much", if it says until when. */
export function judgeBurst(outcomes: readonly AttemptOutcome[]): Finding {
  const check = 'takes several at once';
  const refused = outcomes.filter((outcome) => !is2xx(outcome));
  const [first] = refused;
  if (first === undefined) return { check, verdict: 'ok', detail: `${outcomes.length} at once, all taken` };
  const limited = refused.filter((outcome) => outcome.kind === 'response' && outcome.status === 429);
  if (limited.length < refused.length) {
    return {
      check,
      verdict: 'fail',
      detail: `${refused.length} of ${outcomes.length} were not taken: ${outcomeText(first)}`,
    };
  }
  const silent = limited.filter((outcome) => outcome.retryAfterMs === undefined);
  return silent.length === 0
    ? {
        check,
        verdict: 'ok',
        detail: `${limited.length} of ${outcomes.length} answered 429 with Retry-After, which Tocsin obeys`,
      }
    : {
        check,
        verdict: 'warn',
        detail: `${silent.length} answers 429 lack a Retry-After that can be read: seconds, or a date`,
      };
}

/** Transport: TLS, and how long its certificate holds. */
export function judgeTransport(
  url: URL,
  outcome: AttemptOutcome,
  life: CertificateLife | undefined,
  nowMs: number,
): Finding {
  const check = 'is reached safely';
  if (outcome.kind === 'error' && outcome.errorClass === 'tls')
    return { check, verdict: 'fail', detail: outcomeText(outcome) };
  if (url.protocol === 'http:') {
    const near = isNear(url.hostname);
    const detail = near
      ? 'plain http, on this machine or network'
      : 'plain http: everybody on the way can read events; a service takes it only for addresses its egress policy allows';
    return { check, verdict: near ? 'ok' : 'warn', detail };
  }
  if (life === undefined) return { check, verdict: 'skip', detail: 'no certificate was seen' };
  const left = life.untilMs - nowMs;
  const days = `${Math.floor(left / DAY_MS)} days`;
  if (left < LIFE_LEFT * (life.untilMs - life.fromMs))
    return { check, verdict: 'warn', detail: `the certificate ends in ${days}` };
  return { check, verdict: 'ok', detail: `TLS, the certificate holds for another ${days}` };
}

function isNear(host: string): boolean {
  return (
    host === 'localhost' || host === '[::1]' || /^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\./.test(host)
  );
}
