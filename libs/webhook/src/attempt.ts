import { readFileSync } from 'node:fs';
import type { Clock, Rejection } from '@tocsin/domain';
import type { ExchangeRequest } from './exchange.js';
import { AttemptFailure, type AttemptOutcome, type AttemptPhase, type PhasesMs } from './outcome.js';
import { parseRetryAfterMs } from './retry-after.js';
import type { TlsIdentity } from './tls-context.js';

/** An attempt's whole time, from the name look-up to the last byte of the body. Milliseconds. */
export const DEFAULT_DEADLINE_MS = 15_000;
export const MAX_DEADLINE_MS = 30_000;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
/** How Tocsin names itself to receivers. */
export const USER_AGENT = `Tocsin/${version}`;

/** One request. `headers` go out as given; a `user-agent` is added where there is none. */
export interface SendRequest {
  url: string;
  method?: ExchangeRequest['method'];
  headers: Record<string, string>;
  body: Buffer;
  /** Wall-clock time for everything, at most {@link MAX_DEADLINE_MS}. */
  deadlineMs?: number;
  /** Ends the attempt as `aborted`, e.g. on shutdown. */
  signal?: AbortSignal;
  tls?: TlsIdentity;
  /** Keep so much of the answer instead of 4 KiB, where a program reads it. */
  keepBytes?: number;
}

/** What came back, as far as an outcome tells of it. */
export interface Answer {
  status: number;
  rejected?: Rejection;
  headers: Record<string, string>;
  body: { bytes: number; text: string; complete: boolean };
}

/** The bookkeeping of one attempt: its deadline, the phase it is in, and what it leaves behind. */
export class Attempt {
  readonly phasesMs: Omit<PhasesMs, 'total'> = {};
  readonly #control = new AbortController();
  readonly #startedMs: number;
  readonly #deadline: NodeJS.Timeout;
  readonly #onAbort = (): void =>
    this.#control.abort(new AttemptFailure('aborted', this.phase, 'this process is stopping'));
  phase: AttemptPhase | undefined;
  #address: string | undefined;
  #reused = false;

  constructor(
    readonly request: SendRequest,
    private readonly clock: Clock,
    closed: boolean,
  ) {
    this.#startedMs = clock.monotonicMs();
    const deadlineMs = Math.min(request.deadlineMs ?? DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS);
    this.#deadline = setTimeout(() => {
      this.#control.abort(new AttemptFailure('timeout', this.phase, `not finished within ${deadlineMs} ms`));
    }, deadlineMs);
    if (closed || request.signal?.aborted === true) this.#onAbort();
    else request.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  get exchange(): Omit<ExchangeRequest, 'path'> & { keepBytes: number | undefined } {
    const { method = 'POST', headers, body, keepBytes } = this.request;
    const named = Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent');
    return { method, body, keepBytes, headers: named ? headers : { 'user-agent': USER_AGENT, ...headers } };
  }

  enter(phase: AttemptPhase): void {
    this.phase = phase;
  }

  uses(address: string, reused: boolean): void {
    this.#address = address;
    this.#reused = reused;
  }

  /** Runs `work` as the phase that ends with the status line. */
  async firstByte<T>(limitMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.enter('ttfb');
    const startedMs = this.clock.monotonicMs();
    const limit = setTimeout(() => {
      this.#control.abort(new AttemptFailure('timeout', 'ttfb', `no status line within ${limitMs} ms`));
    }, limitMs);
    try {
      return await work(this.signal);
    } finally {
      clearTimeout(limit);
      this.phasesMs.ttfb = this.clock.monotonicMs() - startedMs;
    }
  }

  answered({ status, rejected, headers, body }: Answer): AttemptOutcome {
    const success = status >= 200 && status <= 299;
    const retryAfterMs = success ? undefined : parseRetryAfterMs(headers['retry-after'], this.clock.now());
    return {
      kind: 'response',
      status,
      ...(rejected === undefined ? {} : { rejected }),
      headers,
      bodyComplete: body.complete,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...this.#facts(body),
    };
  }

  failed(failure: AttemptFailure): AttemptOutcome {
    return {
      kind: 'error',
      errorClass: failure.errorClass,
      ...(failure.phase === undefined ? {} : { phase: failure.phase }),
      detail: failure.message,
      ...this.#facts({ bytes: 0, text: '' }),
    };
  }

  end(): void {
    clearTimeout(this.#deadline);
    this.request.signal?.removeEventListener('abort', this.#onAbort);
  }

  #facts(body: { bytes: number; text: string }) {
    return {
      phasesMs: { ...this.phasesMs, total: this.clock.monotonicMs() - this.#startedMs },
      ...(this.#address === undefined ? {} : { address: this.#address }),
      reused: this.#reused,
      requestBytes: this.request.body.length,
      responseBytes: body.bytes,
      bodyHead: body.text,
    };
  }
}
