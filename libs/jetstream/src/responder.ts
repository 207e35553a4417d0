import { InFlight, TocsinError, isTocsinError } from '@tocsin/domain';
import { inSpan } from '@tocsin/tracing';
import { parseOrThrow } from '@tocsin/contracts';
import { context, trace, type Context } from '@opentelemetry/api';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { z } from 'zod';
import { bundleSubject, openBundle, sealBundle } from './bundle.js';
import { parseJson, sealError, sealValue } from './envelope.js';
import { Intake } from './intake.js';
import type { Link } from './link.js';
import { requestSpan } from './request-span.js';
import { contextOf, contextOfHeaders } from './trace-headers.js';
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
  /**
   * Takes messages of several requests too, as those who ask with `bundled` send them; each counts, and is answered, by itself. For subjects
   * without wildcards.
   */
  bundled?: boolean;
  /** Told of errors that are not TocsinErrors, which the caller sees without their text. */
  onError?: (error: unknown, subject: string) => void;
}

/** How long an answer is kept for a connection that is down. Whoever asked waits about as long. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 100;
/** When to come back to somebody who has too much to do, milliseconds: what he has now is likely to be done. */
const FULL_RETRY_AFTER_MS = 200;
/** Begun in a turn of the event loop; a bundle is several requests by itself. */
const REQUESTS_A_TURN = 16;
const BUNDLES_A_TURN = 1;

/** A request, however it came. */
interface Asked {
  /** The subject it came on. */
  readonly subject: string;
  /** Trace context of the caller. */
  readonly caller: Context;
  /** Its JSON, parsed; undefined where it is none. */
  readonly payload: () => unknown;
  /** Takes the answer, sealed; resolves when it is sent, or waits for others of its bundle. */
  readonly answer: (reply: string) => Promise<void>;
}

/** Answers requests on one subject. */
export class Responder<S extends z.ZodType, R> {
  readonly #link: Link;
  readonly #subject: string;
  readonly #options: ServeOptions<S, R>;
  readonly #intakes: readonly { readonly subscription: Subscription; readonly intake: Intake<Msg> }[];
  readonly #waiting: Asked[] = [];
  readonly #running = new InFlight();
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly ready: Promise<void>;

  constructor(link: Link, subject: string, options: ServeOptions<S, R>) {
    this.#link = link;
    this.#subject = subject;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 64;
    this.#maxWaiting = options.maxWaiting ?? 1024;
    const alone = new Intake<Msg>(REQUESTS_A_TURN, (message) => this.#openRequest(message));
    const bundles = new Intake<Msg>(BUNDLES_A_TURN, (message) => this.#openBundle(message));
    this.#intakes = [
      { subscription: this.#subscribe(subject, alone), intake: alone },
      ...(options.bundled === true
        ? [{ subscription: this.#subscribe(bundleSubject(subject), bundles), intake: bundles }]
        : []),
    ];
    this.ready = this.#announce();
  }

  #subscribe(subject: string, intake: Intake<Msg>): Subscription {
    const { queue, onError } = this.#options;
    return this.#link.nats.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) intake.take(message);
        else onError?.(error, subject);
      },
    });
  }

  /** After a break the client announces its subscriptions by itself, so the next answer to a ping covers them. */
  async #announce(): Promise<void> {
    while (this.#intakes.some(({ subscription }) => !subscription.isClosed()) && !this.#link.nats.isClosed()) {
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
    await Promise.all(
      this.#intakes.map(async ({ subscription, intake }) => {
        try {
          if (!subscription.isClosed()) await this.#link.guard(subscription.drain());
        } catch {
          // No connection over which the server could be told; it has forgotten this subscription with it.
          subscription.unsubscribe();
        }
        await intake.empty();
      }),
    );
    await this.#running.none();
  }

  #openRequest(message: Msg): void {
    this.#accept({
      subject: message.subject,
      caller: contextOfHeaders(message.headers),
      payload: () => parseJson(message.data),
      answer: (reply) => this.#respond(message, reply),
    });
  }

  #openBundle(message: Msg): void {
    const requests = openBundle(message.data);
    if (requests === undefined) {
      void this.#respond(
        message,
        sealError(new TocsinError('TCN_INVALID', `no bundle of requests on ${this.#subject}`)),
      );
      return;
    }
    const answers: string[] = [];
    let missing = requests.length;
    for (const [index, { payload, trace: carrier }] of requests.entries()) {
      this.#accept({
        subject: this.#subject,
        caller: contextOf(carrier),
        payload: () => payload,
        answer: async (reply) => {
          answers[index] = reply;
          missing -= 1;
          if (missing === 0) await this.#respond(message, sealBundle(answers));
        },
      });
    }
  }

  #accept(asked: Asked): void {
    if (this.#running.size < this.#concurrency) {
      this.#run(asked);
    } else if (this.#waiting.length < this.#maxWaiting) {
      this.#waiting.push(asked);
    } else {
      const retryAfterMs = FULL_RETRY_AFTER_MS;
      const full = new TocsinError('TCN_OVERLOADED', `too many requests wait on ${asked.subject}`, { retryAfterMs });
      void asked.answer(sealError(full));
    }
  }

  #run(asked: Asked): void {
    this.#running.begin();
    void this.#answer(asked).finally(() => {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#run(next);
      this.#running.end();
    });
  }

  async #answer(asked: Asked): Promise<void> {
    let reply: string;
    try {
      reply = sealValue(await context.with(asked.caller, () => this.#handle(asked)));
    } catch (error) {
      if (!isTocsinError(error)) this.#options.onError?.(error, asked.subject);
      reply = sealError(error);
    }
    await asked.answer(reply);
  }

  #handle({ subject, caller, payload: read }: Asked): Promise<R> {
    const handle = async (): Promise<R> => {
      const { schema, handle: work } = this.#options;
      const payload = parseOrThrow(schema, read(), `request on ${subject}`);
      return work(payload, { subject, trace: context.active() });
    };
    return trace.getSpanContext(caller) === undefined ? handle() : inSpan('serve', requestSpan(subject), handle);
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
