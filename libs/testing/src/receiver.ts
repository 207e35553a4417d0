import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { eventually } from './eventually.js';

/** One request as it came in. */
export interface ReceivedRequest {
  /** When its head had arrived: wall clock, milliseconds since 1970. */
  at: number;
  /** The same on the monotonic clock of this process (`performance.now`). */
  monotonicMs: number;
  method: string;
  /** Path and query. */
  path: string;
  headers: IncomingMessage['headers'];
  rawBody: Buffer;
  /** The body parsed; undefined if it is not JSON. */
  json: unknown;
  /** Did the signature verify against one of the receiver's secrets, by `standardwebhooks`? Undefined without secrets. */
  verified: boolean | undefined;
}

/** How to answer one request; all of it may be left out: then 200, no body, at once. */
export interface Answer {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  /** Milliseconds to wait before the head is sent. */
  delayMs?: number;
  /** Never sends the head, or nothing after the head; the connection stays open until the client or `close` ends it. */
  hang?: 'before-head' | 'after-head';
  /** After the head, sends a byte now and again: every `everyMs`, `times` of them (default: for ever). */
  drip?: { everyMs: number; times?: number };
  /** Resets the connection (TCP RST) instead of the head, or after it. */
  reset?: 'before-head' | 'after-head';
}

/** An answer, or what decides about it from the request. */
export type Answering = Answer | ((request: ReceivedRequest) => Answer | Promise<Answer>);

/** How a receiver begins. */
export interface ReceiverOptions {
  /** Port on 127.0.0.1; a free one if not given. */
  port?: number;
  /** Signing secrets (`whsec_…`); every request is then verified. More than one while a secret is rotated. */
  secrets?: readonly string[];
  /** How every request is answered; default 200. */
  answer?: Answering;
}

/** An HTTP receiver that does what it is told and remembers what it got. */
export class Receiver {
  /** Every request so far, in the order in which their bodies were complete. */
  readonly requests: ReceivedRequest[] = [];
  /** Secrets requests are verified with. May be changed; holds for later requests. */
  secrets: readonly string[];
  /** Requests being answered now, and the most there have been at once. */
  inFlight = 0;
  maxInFlight = 0;
  /** TCP connections taken so far. */
  connections = 0;
  private answering: Answering;
  private readonly once: Answering[] = [];
  private readonly closing = new AbortController();

  private constructor(
    private readonly server: Server,
    options: ReceiverOptions,
  ) {
    this.secrets = options.secrets ?? [];
    this.answering = options.answer ?? {};
    server.on('connection', () => (this.connections += 1));
    server.on('request', (request, response) => {
      // What goes wrong here is a client that went away; what the test wants to know is in `requests`.
      this.take(request, response).catch(() => response.destroy());
    });
  }

  /** Starts a receiver on 127.0.0.1. */
  static async start(options: ReceiverOptions = {}): Promise<Receiver> {
    // No timeouts of its own: a slow client is the test's business.
    const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 60_000 });
    const receiver = new Receiver(server, options);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Where to send to. Any path is taken. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** From now on every request is answered like this. */
  respond(answer: Answering): void {
    this.answering = answer;
  }

  /** The next requests are answered like this, one each; later ones as `respond` says. */
  respondOnce(...answers: Answering[]): void {
    this.once.push(...answers);
  }

  /** Forgets the requests so far. */
  clear(): void {
    this.requests.length = 0;
  }

  /** Waits until there are `wanted` requests, and returns all there are. */
  async waitFor(wanted: number, timeoutMs?: number): Promise<ReceivedRequest[]>;
  /** Waits for a request that is `wanted`, and returns the first such, an earlier one as well. */
  async waitFor(wanted: (request: ReceivedRequest) => boolean, timeoutMs?: number): Promise<ReceivedRequest>;
  async waitFor(
    wanted: number | ((request: ReceivedRequest) => boolean),
    timeoutMs = 10_000,
  ): Promise<ReceivedRequest[] | ReceivedRequest> {
    const look = (): ReceivedRequest[] | ReceivedRequest | undefined => {
      if (typeof wanted === 'function') return this.requests.find(wanted);
      return this.requests.length >= wanted ? [...this.requests] : undefined;
    };
    const what = typeof wanted === 'function' ? 'the request waited for' : `${wanted} requests`;
    return eventually(look, { what, timeoutMs, intervalMs: 5 }).catch((error: unknown) => {
      throw new Error(`the receiver did not get ${what} within ${timeoutMs} ms, but ${this.requests.length} in all`, {
        cause: error,
      });
    });
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    this.closing.abort();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const arrived = { at: Date.now(), monotonicMs: performance.now() };
    this.inFlight += 1;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    response.once('close', () => (this.inFlight -= 1));
    const received = this.read(arrived, request, await bodyOf(request));
    this.requests.push(received);
    const answering = this.once.shift() ?? this.answering;
    await this.give(typeof answering === 'function' ? await answering(received) : answering, response);
  }

  private read(
    arrived: Pick<ReceivedRequest, 'at' | 'monotonicMs'>,
    request: IncomingMessage,
    rawBody: Buffer,
  ): ReceivedRequest {
    return {
      ...arrived,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      rawBody,
      json: parsed(rawBody),
      verified:
        this.secrets.length === 0 ? undefined : this.secrets.some((secret) => verifies(secret, request, rawBody)),
    };
  }

  private async give(answer: Answer, response: ServerResponse): Promise<void> {
    const signal = this.closing.signal;
    if (answer.delayMs !== undefined) await delay(answer.delayMs, undefined, { signal });
    if (answer.reset === 'before-head') return reset(response);
    if (answer.hang === 'before-head') return;
    response.writeHead(answer.status ?? 200, answer.headers);
    if (answer.reset === 'after-head' || answer.hang === 'after-head' || answer.drip !== undefined) {
      response.flushHeaders();
      if (answer.reset === 'after-head') {
        // The head has to be on its way first, or the client sees no more than the reset.
        await new Promise((sent) => response.write(' ', sent));
        return reset(response);
      }
      if (answer.hang === 'after-head') return;
      const { everyMs, times = Number.POSITIVE_INFINITY } = answer.drip ?? { everyMs: 0 };
      for (let sent = 0; sent < times && !response.destroyed; sent += 1) {
        await delay(everyMs, undefined, { signal });
        response.write(' ');
      }
    }
    response.end(answer.body);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function verifies(secret: string, request: IncomingMessage, body: Buffer): boolean {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(' ') : (value ?? ''),
    ]),
  );
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}
