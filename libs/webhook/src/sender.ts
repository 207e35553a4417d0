import { readFileSync } from 'node:fs';
import type { Clock } from '@tocsin/domain';
import { Connection, IdleConnections } from './connection.js';
import { dial, type PhaseLimits } from './dial.js';
import type { EgressPolicy } from './egress.js';
import { type ExchangeRequest, readBody, sendRequest } from './exchange.js';
import { AttemptFailure, type AttemptOutcome, type AttemptPhase, failureOf, type PhasesMs } from './outcome.js';
import { type HostResolver, SystemResolver } from './resolver.js';
import { parseRetryAfterMs } from './retry-after.js';
import { TlsContexts, type TlsIdentity } from './tls-context.js';

/** An attempt's whole time, from the name look-up to the last byte of the body. Milliseconds. */
export const DEFAULT_DEADLINE_MS = 15_000;
export const MAX_DEADLINE_MS = 30_000;

const DEFAULT_LIMITS: PhaseLimits = { dnsMs: 2_000, connectMs: 3_000, tlsMs: 5_000, firstByteMs: 10_000 };
const IDLE_CONNECTIONS = 512;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
/** How Tocsin names itself to receivers. */
export const USER_AGENT = `Tocsin/${version}`;

/** What a {@link Sender} works with. */
export interface SenderOptions {
  egress: EgressPolicy;
  /** Left out: the machine's own way, see {@link SystemResolver}. */
  resolver?: HostResolver;
  limits?: Partial<PhaseLimits>;
  /** Authorities trusted beside the usual ones, PEM. */
  ca?: readonly string[];
  /** Idle connections kept over all receivers. */
  idleConnections?: number;
  clock?: Clock;
}

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
}

const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** Makes attempts. Never throws for anything a receiver, its name server or its network does. */
export class Sender {
  readonly #egress: EgressPolicy;
  readonly #resolver: HostResolver;
  readonly #limits: PhaseLimits;
  readonly #tls: TlsContexts;
  readonly #idle: IdleConnections;
  readonly #clock: Clock;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: SenderOptions) {
    this.#egress = options.egress;
    this.#resolver = options.resolver ?? new SystemResolver();
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#tls = new TlsContexts(options.ca);
    this.#idle = new IdleConnections(options.idleConnections ?? IDLE_CONNECTIONS);
    this.#clock = options.clock ?? systemClock;
  }

  /** Attempts under way, and connections kept for the next ones. */
  get stats(): { inFlight: number; idle: number } {
    return { inFlight: this.#running.size, idle: this.#idle.size };
  }

  /** One attempt: one request, no redirects, no repetition the receiver could notice as its own. */
  async send(request: SendRequest): Promise<AttemptOutcome> {
    const attempt = new Attempt(request, this.#clock, this.#closed);
    const running = this.#run(attempt);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
      attempt.end();
    }
  }

  /** Takes no further requests, lets those under way end (abort them by their signal to hurry) and closes all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle.destroy();
    await Promise.allSettled(this.#running);
    this.#idle.destroy();
  }

  async #run(attempt: Attempt): Promise<AttemptOutcome> {
    try {
      attempt.signal.throwIfAborted();
      const url = URL.parse(attempt.request.url);
      if (url === null) throw new AttemptFailure('egress-blocked', undefined, 'the destination is not a valid URL');
      const key = `${url.origin} ${TlsContexts.keyOf(attempt.request.tls)}`;
      const reused = this.#idle.take(key, this.#clock.monotonicMs());
      if (reused !== undefined) {
        const outcome = await this.#exchange(attempt, key, url, reused, true);
        if (outcome !== 'stale') return outcome;
      }
      const connection = await this.#open(attempt, url);
      const outcome = await this.#exchange(attempt, key, url, connection, false);
      if (outcome === 'stale') throw new AttemptFailure('reset', 'ttfb', 'the connection was lost');
      return outcome;
    } catch (error) {
      return attempt.failed(failureOf(error, attempt.phase ?? 'connect'));
    }
  }

  async #open(attempt: Attempt, url: URL): Promise<Connection> {
    const dialled = await dial(url, () => this.#tls.get(attempt.request.tls), {
      egress: this.#egress,
      resolver: this.#resolver,
      limits: this.#limits,
      signal: attempt.signal,
      phasesMs: attempt.phasesMs,
      enter: (phase) => attempt.enter(phase),
      monotonicMs: () => this.#clock.monotonicMs(),
    });
    return new Connection(url.origin, dialled, this.#clock.monotonicMs());
  }

  /**
   * Request and response over one connection. `stale`: a kept connection had been closed by the receiver before this request
   * reached it; that is the price of keeping connections, not the receiver's failure, and the caller takes a new one.
   */
  async #exchange(
    attempt: Attempt,
    key: string,
    url: URL,
    connection: Connection,
    reused: boolean,
  ): Promise<AttemptOutcome | 'stale'> {
    attempt.uses(connection.address, reused);
    let keep = false;
    try {
      const head = await attempt.firstByte(this.#limits.firstByteMs, (signal) =>
        sendRequest(connection, { ...attempt.exchange, path: `${url.pathname}${url.search}` }, signal),
      );
      attempt.enter('body');
      const body = await readBody(head, attempt.signal);
      keep = body.complete && !this.#closed;
      return attempt.answered(head, body);
    } catch (error) {
      const failure = failureOf(error, 'ttfb');
      if (reused && failure.errorClass === 'reset') return 'stale';
      throw failure;
    } finally {
      if (keep && connection.usable(this.#clock.monotonicMs())) this.#idle.put(key, connection);
      else connection.destroy();
    }
  }
}

/** The bookkeeping of one attempt: its deadline, the phase it is in, and what it leaves behind. */
class Attempt {
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

  get exchange(): Omit<ExchangeRequest, 'path'> {
    const { method = 'POST', headers, body } = this.request;
    const named = Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent');
    return { method, body, headers: named ? headers : { 'user-agent': USER_AGENT, ...headers } };
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

  answered(
    head: { status: number; headers: Record<string, string> },
    body: { bytes: number; text: string; complete: boolean },
  ): AttemptOutcome {
    const success = head.status >= 200 && head.status <= 299;
    const retryAfterMs = success ? undefined : parseRetryAfterMs(head.headers['retry-after'], this.clock.now());
    return {
      kind: 'response',
      status: head.status,
      headers: head.headers,
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
