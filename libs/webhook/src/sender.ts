import type { SecureContext } from 'node:tls';
import { type Clock, InFlight } from '@tocsin/domain';
import { orAborted } from './abort.js';
import { type Answer, Attempt, MAX_DEADLINE_MS, type SendRequest } from './attempt.js';
import { Connection, IdleConnections } from './connection.js';
import { dial, type DialContext, type Dialled, type PhaseLimits } from './dial.js';
import type { EgressPolicy } from './egress.js';
import { sendRequest } from './exchange.js';
import { AttemptFailure, type AttemptOutcome, failureOf } from './outcome.js';
import type { ForwardProxy } from './proxy.js';
import { type HostResolver, SystemResolver } from './resolver.js';
import { TlsContexts } from './tls-context.js';

const DEFAULT_LIMITS: PhaseLimits = { dnsMs: 2_000, connectMs: 3_000, tlsMs: 5_000, firstByteMs: 10_000 };
const IDLE_CONNECTIONS = 512;

/** What a {@link Sender} works with. */
export interface SenderOptions {
  egress: EgressPolicy;
  /** Left out: the machine's own way, see {@link SystemResolver}. */
  resolver?: HostResolver;
  limits?: Partial<PhaseLimits>;
  /** The operator's way out for https. */
  proxy?: ForwardProxy;
  /** Authorities trusted beside the usual ones, PEM. */
  ca?: readonly string[];
  /** Idle connections kept over all receivers. */
  idleConnections?: number;
  clock?: Clock;
}

const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** Makes attempts. Never throws for anything a receiver, its name server or its network does. */
export class Sender {
  readonly #egress: EgressPolicy;
  readonly #resolver: HostResolver;
  readonly #proxy: ForwardProxy | undefined;
  readonly #limits: PhaseLimits;
  readonly #tls: TlsContexts;
  readonly #idle: IdleConnections;
  readonly #clock: Clock;
  readonly #running = new InFlight();
  #closed = false;

  constructor(options: SenderOptions) {
    this.#egress = options.egress;
    this.#resolver = options.resolver ?? new SystemResolver();
    this.#proxy = options.proxy;
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
  send(request: SendRequest): Promise<AttemptOutcome> {
    return this.#attempt(request, (attempt, url) => this.#http(attempt, url));
  }

  /**
   * An attempt in another protocol, under the same policy, deadline and bookkeeping.
   * @param converse gets an open connection to a vetted address, which is closed afterwards; what it throws becomes the outcome
   */
  converse(
    request: Pick<SendRequest, 'url' | 'body' | 'deadlineMs' | 'signal'>,
    converse: (connection: Dialled & { secureContext: SecureContext }, signal: AbortSignal) => Promise<Answer>,
  ): Promise<AttemptOutcome> {
    return this.#attempt({ ...request, headers: {} }, async (attempt, url) => {
      const secureContext = this.#tls.get(undefined);
      const connection = await dial(url, () => secureContext, this.#dialContext(attempt));
      attempt.uses(connection.address, false);
      try {
        const work = (signal: AbortSignal) => orAborted(converse({ ...connection, secureContext }, signal), signal);
        return attempt.answered(await attempt.firstByte(MAX_DEADLINE_MS, work));
      } finally {
        connection.socket.destroy();
      }
    });
  }

  /** Takes no further requests, lets those under way end (abort them by their signal to hurry) and closes all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle.destroy();
    await this.#running.none();
    this.#idle.destroy();
  }

  async #attempt(
    request: SendRequest,
    work: (attempt: Attempt, url: URL) => Promise<AttemptOutcome>,
  ): Promise<AttemptOutcome> {
    const attempt = new Attempt(request, this.#clock, this.#closed);
    this.#running.begin();
    try {
      return await this.#run(attempt, work);
    } finally {
      this.#running.end();
      attempt.end();
    }
  }

  async #run(attempt: Attempt, work: (attempt: Attempt, url: URL) => Promise<AttemptOutcome>): Promise<AttemptOutcome> {
    try {
      attempt.signal.throwIfAborted();
      const url = URL.parse(attempt.request.url);
      if (url === null) throw new AttemptFailure('egress-blocked', undefined, 'the destination is not a valid URL');
      return await work(attempt, url);
    } catch (error) {
      return attempt.failed(failureOf(error, attempt.phase ?? 'connect'));
    }
  }

  async #http(attempt: Attempt, url: URL): Promise<AttemptOutcome> {
    const key = `${url.origin} ${TlsContexts.keyOf(attempt.request.tls)}`;
    const reused = this.#idle.take(key, this.#clock.monotonicMs());
    if (reused !== undefined) {
      const outcome = await this.#exchange(attempt, key, url, reused, true);
      if (outcome !== 'stale') return outcome;
    }
    const dialled = await dial(url, () => this.#tls.get(attempt.request.tls), this.#dialContext(attempt));
    const connection = new Connection(url.origin, dialled, this.#clock.monotonicMs());
    const outcome = await this.#exchange(attempt, key, url, connection, false);
    if (outcome === 'stale') throw new AttemptFailure('reset', 'ttfb', 'the connection was lost');
    return outcome;
  }

  #dialContext(attempt: Attempt): DialContext {
    return {
      egress: this.#egress,
      resolver: this.#resolver,
      proxy: this.#proxy,
      limits: this.#limits,
      signal: attempt.signal,
      phasesMs: attempt.phasesMs,
      enter: (phase) => attempt.enter(phase),
      monotonicMs: () => this.#clock.monotonicMs(),
    };
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
      const body = await head.body;
      keep = body.complete && !this.#closed;
      return attempt.answered({ ...head, body });
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
