import { TocsinError } from '@tocsin/domain';
import { activeSpanContext, inSpan } from '@tocsin/tracing';
import { NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';
import type { z } from 'zod';
import { openEnvelope } from './envelope.js';
import { KeyValue, type KeyValueOptions } from './key-value.js';
import { connectFirst } from './first-connection.js';
import { Link } from './link.js';
import { registerLink } from './link-registry.js';
import { Responder, type ServeOptions } from './responder.js';
import { parseServers } from './server-address.js';
import { requestSpan } from './request-span.js';
import { requireSuitable } from './suitability.js';
import { RequestBundler } from './request-bundler.js';
import { type TraceCarrier, traceCarrier, traceHeaders } from './trace-headers.js';

export interface BrokerOptions {
  /** `nats://user:pass@host:4222`, several separated by commas; `tls://` for TLS. */
  servers: string;
  /** Shown in the server's monitoring: the service's name. */
  name: string;
  /** User, where the address has none. */
  user?: string;
  /** Password of `user`. */
  pass?: string;
  /** Token, where the address has none. */
  token?: string;
  /** How long the first connection may take, JetStream's first answer included, milliseconds. Default 5000. */
  connectTimeoutMs?: number;
}

export interface RequestOptions<S extends z.ZodType = z.ZodType> {
  /** How long the answer may take, milliseconds, waiting for a connection included. Default 5000. */
  timeoutMs?: number;
  /** What the answer must be. */
  schema?: S;
  /** May share a message with others on this subject that are made in the same turn of the event loop. Each is answered by itself. */
  bundled?: boolean;
}

/** Something that takes requests until it is closed. */
export interface Serving {
  /** Resolves once the server knows of it, or it is closed: a request made from then on finds it. */
  readonly ready: Promise<void>;
  /** Takes no more requests and resolves when those in hand are answered. */
  close(): Promise<void>;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 5_000;
/**
 * A line that has fallen silent (packets are dropped, nobody resets it) is given up when so many pings wait for an answer and the next
 * one is due: after 3.2 to 4 s. A server that is only slow, or an event loop here that stood still, answers one of the four in time;
 * pings that were missed meanwhile are not made up for.
 */
const PING_INTERVAL_MS = 800;
const MAX_PINGS_OUT = 4;
/** Short, because everything here waits for the broker; jittered, so that a fleet does not come back as one. */
const RECONNECT_WAIT_MS = 100;
const RECONNECT_JITTER_MS = 200;
const DRAIN_TIMEOUT_MS = 3_000;

/** A connection to NATS that, once made, comes back for ever. */
export class Broker {
  readonly #link: Link;
  readonly #bundler: RequestBundler;

  private constructor(link: Link) {
    this.#link = link;
    this.#bundler = new RequestBundler({
      ask: (...args) => this.#ask(...args),
      isNobody: (error) => error instanceof TocsinError && isNobody(error.cause),
      get maxPayloadBytes() {
        return link.maxPayloadBytes;
      },
    });
    registerLink(this, link);
  }

  /**
   * Connects and checks the server.
   * @throws TocsinError `TCN_NATS_UNREACHABLE` (names host and port, never credentials), `TCN_NATS_UNSUITABLE` (older than 2.12,
   * or without JetStream), `TCN_CONFIG` (address wrong, credentials refused)
   */
  static async connect(options: BrokerOptions): Promise<Broker> {
    const addresses = parseServers(options.servers);
    const user = addresses.user ?? options.user;
    const pass = addresses.pass ?? options.pass;
    const token = addresses.token ?? options.token;
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    const endMs = performance.now() + timeoutMs;
    const nats = await connectFirst(
      addresses.hosts,
      {
        name: options.name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        reconnectJitter: RECONNECT_JITTER_MS,
        reconnectJitterTLS: RECONNECT_JITTER_MS,
        pingInterval: PING_INTERVAL_MS,
        maxPingOut: MAX_PINGS_OUT,
        ignoreAuthErrorAbort: true,
        noAsyncTraces: true,
        ...(user === undefined ? {} : { user }),
        ...(pass === undefined ? {} : { pass }),
        ...(token === undefined ? {} : { token }),
        ...(addresses.tls ? { tls: {} } : {}),
      },
      timeoutMs,
    );
    try {
      await requireSuitable(nats, endMs - performance.now());
      return new Broker(await Link.over(nats));
    } catch (error) {
      await nats.close();
      throw error;
    }
  }

  /**
   * Asks whoever serves `subject` and returns the answer, parsed by `schema` where one is given. Carries the trace context.
   * @throws TocsinError the one the other side threw; `TCN_UNAVAILABLE` (nobody serves it, or no connection: it may still have been
   * carried out), `TCN_TIMEOUT`, `TCN_TOO_LARGE`, `TCN_INTERNAL` (the answer is not what `schema` expects)
   */
  request<S extends z.ZodType>(
    subject: string,
    payload: unknown,
    options: RequestOptions<S> & { schema: S },
  ): Promise<z.output<S>>;
  request<T>(subject: string, payload: unknown, options?: Omit<RequestOptions, 'schema'>): Promise<T>;
  request(subject: string, payload: unknown, options: RequestOptions = {}): Promise<unknown> {
    // Alone, a request is no story: observers and followers ask all day long.
    if (activeSpanContext() === undefined) return this.#request(subject, payload, options);
    return inSpan('request', requestSpan(subject), () => this.#request(subject, payload, options));
  }

  /** Answers requests on `subject` until closed, also across reconnects. */
  serve<S extends z.ZodType, R>(subject: string, options: ServeOptions<S, R>): Serving {
    return new Responder(this.#link, subject, options);
  }

  /** A key-value bucket, created where it is missing. */
  kv(bucket: string, options: KeyValueOptions = {}): Promise<KeyValue> {
    return KeyValue.open(this.#link, bucket, options);
  }

  /** Is there a connection now? */
  connected(): boolean {
    return this.#link.connected;
  }

  /**
   * For readiness.
   * @throws TocsinError `TCN_NATS_UNREACHABLE` while there is no connection
   */
  check(): Promise<void> {
    if (this.#link.connected) return Promise.resolve();
    return Promise.reject(new TocsinError('TCN_NATS_UNREACHABLE', 'the connection to NATS is down; reconnecting'));
  }

  /** Calls `listener` after each reconnect. Returns what ends that. */
  onReconnect(listener: () => void): () => void {
    return this.#link.onReconnect(() => queueMicrotask(listener));
  }

  /** Calls `listener` each time the connection breaks. Returns what ends that. */
  onDisconnect(listener: () => void): () => void {
    return this.#link.onDisconnect(() => queueMicrotask(listener));
  }

  /** Sends what is waiting, then closes. */
  async close(): Promise<void> {
    const { nats } = this.#link;
    if (nats.isClosed()) return;
    const connected = this.#link.connected;
    this.#link.markClosing();
    if (connected) {
      const drained = nats.drain().catch(() => nats.close());
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, DRAIN_TIMEOUT_MS);
      });
      await Promise.race([drained, late]);
      clearTimeout(timer);
    }
    if (!nats.isClosed()) await nats.close();
  }

  async #request(subject: string, payload: unknown, options: RequestOptions): Promise<unknown> {
    const { timeoutMs = DEFAULT_REQUEST_TIMEOUT_MS, schema, bundled = false } = options;
    const text = JSON.stringify(payload);
    const trace = traceCarrier();
    const value = bundled
      ? await this.#bundler.request(subject, text, timeoutMs, trace)
      : openEnvelope(subject, await this.#ask(subject, text, timeoutMs, trace));
    if (schema === undefined) return value;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new TocsinError('TCN_INTERNAL', `the answer on ${subject} is not what was expected`, { cause: parsed.error });
  }

  async #ask(subject: string, text: string, timeoutMs: number, trace: TraceCarrier | undefined): Promise<Uint8Array> {
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.byteLength > this.#link.maxPayloadBytes) {
      const limit = `${bytes.byteLength} bytes, the server takes ${this.#link.maxPayloadBytes}`;
      throw new TocsinError('TCN_TOO_LARGE', `the request on ${subject} is too large for one message: ${limit}`);
    }
    const deadline = performance.now() + timeoutMs;
    if (!(await this.#link.whenConnected(timeoutMs))) {
      throw new TocsinError('TCN_UNAVAILABLE', `no connection to NATS to ask on ${subject}`);
    }
    const timeout = Math.max(1, deadline - performance.now());
    const headers = traceHeaders(trace);
    try {
      const asked = this.#link.nats.request(subject, bytes, { timeout, ...(headers === undefined ? {} : { headers }) });
      return (await this.#link.guard(asked)).data;
    } catch (error) {
      if (error instanceof TocsinError) throw error;
      if (error instanceof TimeoutError) {
        throw new TocsinError('TCN_TIMEOUT', `no answer on ${subject} within ${timeoutMs} ms`, { cause: error });
      }
      const why = isNobody(error) ? 'nobody answers' : 'the request cannot be sent';
      throw new TocsinError('TCN_UNAVAILABLE', `${why} on ${subject}`, { cause: error });
    }
  }
}

/** Did the server say that nobody serves the subject? */
function isNobody(error: unknown): boolean {
  return error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
}
