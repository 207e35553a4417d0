import { InFlight, TocsinError, isTocsinError } from '@tocsin/domain';
import { inSpan } from '@tocsin/tracing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseOrThrow } from '@tocsin/contracts';
import { context, trace, type Context } from '@opentelemetry/api';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { z } from 'zod';
import { parseJson, sealError, sealValue } from './envelope.js';
import type { Link } from './link.js';
import { requestSpan } from './request-span.js';
import { contextOf } from './trace-headers.js';
import { pause } from './waiting.js';

/** What a handler is told about a request besides its payload. */
export interface RequestContext {
  /** The subject it came on, which may have matched a wildcard. */
  subject: string;
  /** Trace context of the caller; active while the handler runs. */
  trace: Context;
}

export interface ServeOptions<S extends z.ZodType, R> {
  /** Queue group: of all that serve the subject in one group, one gets a request. Without it everybody gets every request. */
  queue?: string;
  /** What a request must be; anything else is answered with `TCN_INVALID`. */
  schema: S;
  /** Its result is the answer; what it throws becomes the error of the caller (`TCN_INTERNAL` unless a TocsinError). */
  handle: (payload: z.output<S>, context: RequestContext) => Promise<R>;
  /** Requests handled at once. Default 64. */
  concurrency?: number;
  /** Requests that may wait for their turn; more are answered with `TCN_OVERLOADED`. Default 1024. */
  maxWaiting?: number;
  /** Told of errors that are not TocsinErrors, which the caller sees without their text. */
  onError?: (error: unknown, subject: string) => void;
}

/** How long an answer is kept for a connection that is down. Whoever asked waits about as long. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 100;
/** Requests begun in one turn of the event loop, so that a burst of them does not keep back what others are answered, by Postgres say. */
const REQUESTS_A_TURN = 16;
/** Of more than that, this share: whatever the rate, what has arrived does not pile up. */
const SHARE_A_TURN = 0.25;

/** Answers requests on one subject. */
export class Responder<S extends z.ZodType, R> {
  readonly #link: Link;
  readonly #options: ServeOptions<S, R>;
  readonly #subscription: Subscription;
  /** What has come and is for a later turn of the event loop. */
  readonly #arrived: Msg[] = [];
  /** Requests begun in this turn. */
  #begun = 0;
  #turning = false;
  readonly #waiting: Msg[] = [];
  readonly #running = new InFlight();
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly ready: Promise<void>;

  constructor(link: Link, subject: string, options: ServeOptions<S, R>) {
    this.#link = link;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 64;
    this.#maxWaiting = options.maxWaiting ?? 1024;
    this.#subscription = link.nats.subscribe(subject, {
      ...(options.queue === undefined ? {} : { queue: options.queue }),
      callback: (error, message) => {
        if (error === null) this.#arrive(message);
        else options.onError?.(error, subject);
      },
    });
    this.ready = this.#announce();
  }

  /** After a break the client announces its subscriptions by itself, so the next answer to a ping covers them. */
  async #announce(): Promise<void> {
    while (!this.#subscription.isClosed() && !this.#link.nats.isClosed()) {
      try {
        await this.#link.whenConnected(PATIENCE_MS);
        await this.#link.guard(this.#link.nats.flush());
        return;
      } catch {
        // Broken meanwhile: again once it stands, if it is to stand again.
        await pause(RETRY_MS, new AbortController().signal);
      }
    }
  }

  /** Takes no more requests, answers those that are here. */
  async close(): Promise<void> {
    try {
      if (!this.#subscription.isClosed()) await this.#link.guard(this.#subscription.drain());
    } catch {
      // No connection over which the server could be told; it has forgotten this subscription with it.
      this.#subscription.unsubscribe();
    }
    while (this.#arrived.length > 0) await nextTurn();
    await this.#running.none();
  }

  #arrive(message: Msg): void {
    if (this.#arrived.length === 0 && this.#begun < REQUESTS_A_TURN) {
      this.#begun += 1;
      this.#accept(message);
    } else {
      this.#arrived.push(message);
    }
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    const due = Math.max(REQUESTS_A_TURN, Math.ceil(this.#arrived.length * SHARE_A_TURN));
    const arrived = this.#arrived.splice(0, due);
    this.#begun = arrived.length;
    this.#turning = arrived.length > 0;
    if (this.#turning) setImmediate(() => this.#nextTurn());
    for (const message of arrived) this.#accept(message);
  }

  #accept(message: Msg): void {
    if (this.#running.size < this.#concurrency) {
      this.#run(message);
    } else if (this.#waiting.length < this.#maxWaiting) {
      this.#waiting.push(message);
    } else {
      const overloaded = new TocsinError('TCN_OVERLOADED', `too many requests wait on ${message.subject}`);
      void this.#respond(message, sealError(overloaded));
    }
  }

  #run(message: Msg): void {
    this.#running.begin();
    void this.#answer(message).finally(() => {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#run(next);
      this.#running.end();
    });
  }

  async #answer(message: Msg): Promise<void> {
    const caller = contextOf(message.headers);
    let reply: string;
    try {
      const value = await context.with(caller, () => this.#handle(message, caller));
      reply = sealValue(value);
    } catch (error) {
      if (!isTocsinError(error)) this.#options.onError?.(error, message.subject);
      reply = sealError(error);
    }
    await this.#respond(message, reply);
  }

  #handle(message: Msg, caller: Context): Promise<R> {
    const handle = async (): Promise<R> => {
      const { schema, handle: work } = this.#options;
      const payload = parseOrThrow(schema, parseJson(message.data), `request on ${message.subject}`);
      return work(payload, { subject: message.subject, trace: context.active() });
    };
    return trace.getSpanContext(caller) === undefined
      ? handle()
      : inSpan('serve', requestSpan(message.subject), handle);
  }

  async #respond(message: Msg, reply: string): Promise<void> {
    const bytes = Buffer.from(reply, 'utf8');
    try {
      // Whoever asked may have a connection that still stands, so the answer is kept for ours.
      await this.#link.whenConnected(PATIENCE_MS);
      const most = this.#link.maxPayloadBytes;
      const tooLarge = `the answer has ${bytes.byteLength} bytes, the server takes ${most} in one message`;
      message.respond(bytes.byteLength <= most ? bytes : sealError(new TocsinError('TCN_TOO_LARGE', tooLarge)));
    } catch (error) {
      this.#options.onError?.(error, message.subject);
    }
  }
}
