import { bundleSubject, openAnswers, sealBundle, sealRequest } from './bundle.js';
import { openEnvelope, openParsed } from './envelope.js';
import type { TraceCarrier } from './trace-headers.js';

/** Requests in a message: more would save little, and keep those who answer waiting for the next. */
const MOST_REQUESTS = 32;
/** JSON in a message, UTF-16 code units: a message of its own costs little beside what is larger. */
const MOST_LENGTH = 64 * 1024;

/** How a bundler reaches those who answer. */
export interface Sending {
  /**
   * Sends a message and resolves to the answer.
   * @throws TocsinError as `Broker.request` does
   */
  ask(subject: string, text: string, timeoutMs: number, trace: TraceCarrier | undefined): Promise<Uint8Array>;
  /** Does this error of `ask` say that nobody got the message, because nobody listens? */
  isNobody(error: unknown): boolean;
  /** Largest message, bytes. */
  readonly maxPayloadBytes: number;
}

interface Waiting {
  readonly payload: string;
  readonly trace: TraceCarrier | undefined;
  readonly answered: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Requests on one subject with the same timeout, made in one turn of the event loop. */
interface Bundle {
  readonly subject: string;
  readonly timeoutMs: number;
  readonly requests: Waiting[];
  length: number;
}

/** Lets requests that are made in the same turn of the event loop travel in one message. Each has an answer of its own. */
export class RequestBundler {
  readonly #sending: Sending;
  readonly #gathering = new Map<string, Bundle>();

  constructor(sending: Sending) {
    this.#sending = sending;
  }

  /**
   * The value of the answer.
   * @param payload JSON
   * @throws TocsinError as `Broker.request` does
   */
  request(subject: string, payload: string, timeoutMs: number, trace: TraceCarrier | undefined): Promise<unknown> {
    return new Promise((answered, failed) => {
      const bundle = this.#bundleFor(subject, timeoutMs, payload.length);
      bundle.requests.push({ payload, trace, answered, failed });
      bundle.length += payload.length;
      if (bundle.requests.length === MOST_REQUESTS) this.#send(bundle);
    });
  }

  /** The one being gathered, if there is room in it. */
  #bundleFor(subject: string, timeoutMs: number, length: number): Bundle {
    const key = keyOf(subject, timeoutMs);
    const gathered = this.#gathering.get(key);
    // A character is three bytes at most; the rest is for what goes along, and for the answers.
    const mostLength = Math.min(MOST_LENGTH, this.#sending.maxPayloadBytes / 6);
    if (gathered !== undefined && gathered.length + length <= mostLength) return gathered;
    if (gathered !== undefined) this.#send(gathered);
    const bundle: Bundle = { subject, timeoutMs, requests: [], length: 0 };
    this.#gathering.set(key, bundle);
    setImmediate(() => {
      if (this.#gathering.get(key) === bundle) this.#send(bundle);
    });
    return bundle;
  }

  #send(bundle: Bundle): void {
    this.#gathering.delete(keyOf(bundle.subject, bundle.timeoutMs));
    const [only, ...more] = bundle.requests;
    if (only !== undefined && more.length === 0) void this.#alone(bundle, only);
    else void this.#together(bundle);
  }

  async #together({ subject, timeoutMs, requests }: Bundle): Promise<void> {
    try {
      const text = sealBundle(requests.map(({ payload, trace }) => sealRequest(payload, trace)));
      const bytes = await this.#sending.ask(bundleSubject(subject), text, timeoutMs, undefined);
      const answers = openAnswers(subject, bytes, requests.length);
      for (const [index, { answered, failed }] of requests.entries()) {
        try {
          answered(openParsed(subject, answers[index]));
        } catch (error) {
          failed(error);
        }
      }
    } catch (error) {
      // Somebody may serve the subject who knows nothing of bundles.
      if (this.#sending.isNobody(error)) for (const each of requests) void this.#alone({ subject, timeoutMs }, each);
      else for (const { failed } of requests) failed(error);
    }
  }

  async #alone({ subject, timeoutMs }: Pick<Bundle, 'subject' | 'timeoutMs'>, waiting: Waiting): Promise<void> {
    try {
      const bytes = await this.#sending.ask(subject, waiting.payload, timeoutMs, waiting.trace);
      waiting.answered(openEnvelope(subject, bytes));
    } catch (error) {
      waiting.failed(error);
    }
  }
}

function keyOf(subject: string, timeoutMs: number): string {
  return `${timeoutMs} ${subject}`;
}
