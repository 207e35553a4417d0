import { TocsinError } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import { failSpan, spanContextOf, startSpan } from '@tocsin/tracing';
import type { Span } from '@opentelemetry/api';
import { PubHeaders } from '@nats-io/jetstream';
import { createInbox, headers, type Msg, type MsgHdrs, type Subscription } from '@nats-io/transport-node';
import { API_ERROR, brokerError } from './broker-error.js';
import { parseJson } from './envelope.js';
import type { Link } from './link.js';

const TRACEPARENT = 'traceparent';
/** Messages sent and not yet acknowledged: a round trip of 40 ms at 25,000 events/s, and a tenth of what a stream queues (10,000). */
const MAX_OUTSTANDING = 1_024;
/** Bytes of them; one larger message goes alone. */
const MAX_OUTSTANDING_BYTES = 8 * 1024 * 1024;
/** Every so many events one is to be acknowledged, which acknowledges those before it. */
const ACK_EVERY = 32;
/** A stream that acknowledges nothing for so long has lost its leader or its disk. */
const ACK_TIMEOUT_MS = 5_000;

/** One event ready to go. */
export interface Outgoing {
  position: number;
  subject: string;
  payload: Uint8Array;
  traceparent: string | undefined;
  /** Is it young enough to have a span of its own? */
  traced: boolean;
  /** Does nothing follow at once? It is acknowledged then. */
  last: boolean;
}

export interface PipelineOptions {
  /** Position the stream is at. */
  last: number;
  /** The stream has stored everything up to `position`. */
  onAcked: (position: number) => void;
  /** The pipeline is of no more use. */
  onFailure: () => void;
}

/** The broker refused a message because the stream's last sequence is not the one before it. */
export class SequenceRefused extends TocsinError {
  constructor(position: number) {
    super('TCN_CONFLICT', `stream ${JETSTREAM.eventsStream} is not at the position before ${position}`);
  }
}

/**
 * Publishes events to the stream without waiting for each acknowledgement. Every message states the sequence the stream must be at, so
 * after a refusal nothing behind it can slip in; the pipeline then fails as a whole and is thrown away.
 */
export class PublishPipeline {
  readonly #link: Link;
  readonly #options: PipelineOptions;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #sizes: number[] = [];
  /** Of the events sent and not yet acknowledged, by position. */
  readonly #spans = new Map<number, Span>();
  /** Of the event that is published now. */
  readonly #headers = headers();
  readonly #offDisconnect: () => void;
  readonly #watch: NodeJS.Timeout;
  #acked: number;
  #bytes = 0;
  /** Events sent since one was sent that is to be acknowledged; the very first is, so that its refusal says why. */
  #unasked = ACK_EVERY;
  #heardAtMs = performance.now();
  #failure: TocsinError | undefined;
  #changed: (() => void) | undefined;

  constructor(link: Link, options: PipelineOptions) {
    this.#link = link;
    this.#acked = options.last;
    this.#options = options;
    this.#headers.set(PubHeaders.ExpectedStreamHdr, JETSTREAM.eventsStream);
    this.#headers.set('content-type', 'application/cloudevents+json');
    this.#subscription = link.nats.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#receive(message);
        else this.#fail(brokerError('receive acknowledgements', error));
      },
    });
    this.#offDisconnect = link.onDisconnect((error) => this.#fail(error));
    this.#watch = setInterval(() => this.#checkSilence(), ACK_TIMEOUT_MS / 5);
  }

  /** Why the pipeline is of no more use, if it is. */
  get failure(): TocsinError | undefined {
    return this.#failure;
  }

  /** Is so much unacknowledged that the next event should wait? */
  get full(): boolean {
    return this.#sizes.length >= MAX_OUTSTANDING || this.#bytes >= MAX_OUTSTANDING_BYTES;
  }

  /** Resolves when there is room for an event. @throws TocsinError the pipeline's failure */
  async room(): Promise<void> {
    while (this.#failure === undefined && this.full) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Sends one event. Synchronous, so that what is published in one turn leaves in one write. Of events that follow one another at once only some
   * are acknowledged: one that is refused makes the broker refuse all that come after it.
   * @throws TocsinError the pipeline's failure; `TCN_NATS_UNSUITABLE` if the server does not take messages that large
   */
  publish(event: Outgoing): void {
    if (this.#failure !== undefined) throw this.#failure;
    const size = event.payload.byteLength;
    // 512: more than these headers ever need.
    if (size + 512 > this.#link.maxPayloadBytes) {
      const limit = `${size} bytes, the server's max_payload is ${this.#link.maxPayloadBytes}`;
      throw new TocsinError('TCN_NATS_UNSUITABLE', `the event at position ${event.position} has ${limit}`);
    }
    if (this.#sizes.length === 0) this.#heardAtMs = performance.now();
    this.#trace(event);
    this.#sizes.push(size);
    this.#bytes += size;
    this.#unasked += 1;
    const asks = event.last || this.full || this.#unasked > ACK_EVERY;
    if (asks) this.#unasked = 0;
    try {
      const reply = asks ? { reply: `${this.#inbox}.${event.position}` } : {};
      this.#link.nats.publish(event.subject, event.payload, { headers: this.#headersOf(event), ...reply });
    } catch (error) {
      const failure = brokerError(`publish the event at position ${event.position}`, error);
      this.#fail(failure);
      throw failure;
    }
  }

  /** Resolves when everything sent is acknowledged. @throws TocsinError the pipeline's failure */
  async settled(): Promise<void> {
    while (this.#failure === undefined && this.#sizes.length > 0) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Lets go of everything. What is on its way may still be stored: it carries its expected sequence. */
  close(): void {
    this.#fail(new TocsinError('TCN_UNAVAILABLE', 'the relay has stopped'));
  }

  /** The client has spelled the headers when `publish` returns, and making them anew costs more than the rest of it. */
  #headersOf({ position, traceparent }: Outgoing): MsgHdrs {
    this.#headers.set(PubHeaders.ExpectedLastSeqHdr, String(position - 1));
    if (traceparent === undefined) this.#headers.delete(TRACEPARENT);
    else this.#headers.set(TRACEPARENT, traceparent);
    return this.#headers;
  }

  /** The event's own trace goes on here; one that was made in none begins none. */
  #trace(event: Outgoing): void {
    const parent = event.traced ? spanContextOf(event.traceparent) : undefined;
    if (parent === undefined) return;
    const span = startSpan('publish', {
      suffix: JETSTREAM.eventsStream,
      parent,
      attributes: {
        'messaging.system': 'nats',
        'messaging.operation.type': 'send',
        'messaging.operation.name': 'publish',
        'messaging.destination.name': event.subject,
        'messaging.message.body.size': event.payload.byteLength,
        'tocsin.position': event.position,
      },
    });
    if (span.isRecording()) this.#spans.set(event.position, span);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #receive(message: Msg): void {
    if (this.#failure !== undefined) return;
    this.#heardAtMs = performance.now();
    const position = Number(message.subject.slice(this.#inbox.length + 1));
    if (message.headers?.code === 503) {
      this.#fail(new TocsinError('TCN_UNAVAILABLE', `there is no stream ${JETSTREAM.eventsStream}`));
      return;
    }
    const refusal = refusalOf(message, position);
    if (refusal !== undefined) {
      this.#fail(refusal);
      return;
    }
    // Acknowledgement of p implies everything before p: it was stored upon sequence p-1.
    while (this.#acked < position) {
      this.#acked++;
      this.#bytes -= this.#sizes.shift() ?? 0;
      this.#spans.get(this.#acked)?.end();
      this.#spans.delete(this.#acked);
    }
    this.#options.onAcked(position);
    this.#notify();
  }

  #checkSilence(): void {
    if (this.#sizes.length > 0 && performance.now() - this.#heardAtMs > ACK_TIMEOUT_MS) {
      this.#fail(new TocsinError('TCN_TIMEOUT', `stream ${JETSTREAM.eventsStream} acknowledges nothing`));
    }
  }

  #fail(error: TocsinError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearInterval(this.#watch);
    this.#offDisconnect();
    this.#subscription.unsubscribe();
    for (const span of this.#spans.values()) {
      failSpan(span, error.code);
      span.end();
    }
    this.#spans.clear();
    this.#notify();
    this.#options.onFailure();
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = undefined;
    changed?.();
  }
}

/** What is wrong with an acknowledgement; undefined if it says: stored at its position. */
function refusalOf(message: Msg, position: number): TocsinError | undefined {
  const ack = parseJson(message.data) as
    { seq?: number; error?: { err_code?: number; description?: string } } | undefined | null;
  if (ack?.error !== undefined) {
    if (ack.error.err_code === API_ERROR.wrongLastSequence) return new SequenceRefused(position);
    const why = `${ack.error.description ?? 'no reason given'} (${ack.error.err_code ?? 0})`;
    return new TocsinError('TCN_UNAVAILABLE', `the broker did not store the event at position ${position}: ${why}`);
  }
  if (ack?.seq !== position) {
    const where = `stored at sequence ${ack?.seq ?? 'unknown'}`;
    return new TocsinError('TCN_LOG_DAMAGED', `the event at position ${position} was ${where}`);
  }
  return undefined;
}
