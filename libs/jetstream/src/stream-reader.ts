import { TocsinError } from '@tocsin/domain';
import { AckPolicy, ReplayPolicy, type ConsumerConfig } from '@nats-io/jetstream';
import { createInbox, nanos, type Msg, type MsgHdrs, type Subscription } from '@nats-io/transport-node';
import { brokerError } from './broker-error.js';
import type { Link } from './link.js';
import { orAborted } from './waiting.js';

/** One message of a stream. */
export interface StreamMessage {
  subject: string;
  /** Sequence in the stream. */
  sequence: number;
  /** How many more the stream had for this reader when it sent this one. */
  pending: number;
  headers: MsgHdrs | undefined;
  data: Uint8Array;
}

/** Messages asked for ahead of what has been taken. The next are asked for when half of them are gone, so that none is waited for. */
const WINDOW_MESSAGES = 1_000;
/** Bytes one pull may bring, so that big messages do not multiply with the window. */
const PULL_BYTES = 4 * 1024 * 1024;
/** Descriptions of a 409 that say only: this pull has brought its messages or its bytes. */
const PULL_ENDS = new Set(['Batch Completed', 'Message Size Exceeds MaxBytes']);
const PULL_EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 3_000;
/** Silence after which the consumer is taken for dead: two heartbeats lost, and some delay. */
const SILENCE_MS = 2 * HEARTBEAT_MS + 1_000;
/** The server forgets a consumer nobody has pulled from for so long. A reader that comes back later simply opens a new one. */
const INACTIVE_MS = 60_000;

interface ReaderOptions {
  link: Link;
  stream: string;
  consumer: string;
  initialPending: number;
  signal: AbortSignal;
}

/**
 * Reads a stream through an ephemeral pull consumer, in order, each message once. It recovers from nothing: at the first doubt (a
 * message lost on the way, heartbeats missing, consumer or stream gone, connection broken) it ends, and whoever reads opens another
 * one from where they are. Buffers at most about one window; who does not take, is not sent more.
 */
export class StreamReader {
  /** Messages the stream held for this reader when it was opened. */
  readonly initialPending: number;
  readonly #link: Link;
  readonly #pullSubject: string;
  readonly #delete: () => Promise<unknown>;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #queue: StreamMessage[] = [];
  readonly #offDisconnect: () => void;
  readonly #offAbort: () => void;
  readonly #watch: NodeJS.Timeout;
  #requested = 0;
  #delivered = 0;
  #heardAtMs = performance.now();
  #ended: TocsinError | undefined;
  #wake: (() => void) | undefined;

  private constructor(options: ReaderOptions) {
    const { link, stream, consumer, signal } = options;
    this.#link = link;
    this.initialPending = options.initialPending;
    this.#offAbort = () => signal.removeEventListener('abort', this.close);
    signal.addEventListener('abort', this.close, { once: true });
    this.#pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#delete = () => link.manager.consumers.delete(stream, consumer);
    this.#subscription = link.nats.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (error === null) this.#receive(message);
        else this.#end(brokerError(`read stream ${stream}`, error));
      },
    });
    this.#offDisconnect = link.onDisconnect((error) => this.#end(error));
    this.#watch = setInterval(() => this.#checkSilence(), HEARTBEAT_MS);
    this.#pull();
  }

  /**
   * Creates the consumer.
   * @throws TocsinError `TCN_UNAVAILABLE` or `TCN_TIMEOUT`, JetStream's own error in its cause
   */
  static async open(
    link: Link,
    stream: string,
    start: Partial<ConsumerConfig>,
    signal: AbortSignal,
  ): Promise<StreamReader> {
    try {
      const adding = link.manager.consumers.add(stream, {
        ...start,
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        inactive_threshold: nanos(INACTIVE_MS),
        mem_storage: true,
        num_replicas: 1,
      });
      const info = await orAborted(link.guard(adding), signal);
      return new StreamReader({ link, stream, consumer: info.name, initialPending: info.num_pending, signal });
    } catch (error) {
      throw brokerError(`read stream ${stream}`, error);
    }
  }

  /**
   * What is there, at most `maxMessages` and (but for the first) `maxBytes`; waits for the first up to `idleMs` milliseconds, then
   * returns none.
   * @throws TocsinError why the reader has ended, after everything it had received is taken
   */
  async take(maxMessages: number, maxBytes: number, idleMs: number): Promise<StreamMessage[]> {
    if (this.#queue.length === 0 && this.#ended === undefined) await this.#arrival(idleMs);
    if (this.#queue.length === 0) {
      if (this.#ended !== undefined) throw this.#ended;
      return [];
    }
    let count = 0;
    let bytes = 0;
    for (const message of this.#queue) {
      bytes += message.data.byteLength;
      if (count === maxMessages || (count > 0 && bytes > maxBytes)) break;
      count++;
    }
    const taken = this.#queue.splice(0, count);
    this.#pull();
    return taken;
  }

  /** Ends the reader and removes its consumer; also called when the signal given to `open` aborts. */
  readonly close = (): void => {
    if (this.#ended !== undefined) return;
    this.#end(new TocsinError('TCN_UNAVAILABLE', 'the reader is closed'));
    // The server removes an abandoned consumer by itself; a failure here costs it a minute of memory.
    if (this.#link.connected) this.#delete().catch(() => undefined);
  };

  #receive(message: Msg): void {
    if (this.#ended !== undefined) return;
    this.#heardAtMs = performance.now();
    if (message.headers !== undefined && message.headers.code > 0) {
      this.#receiveStatus(message.headers);
      return;
    }
    const origin = parseOrigin(message.reply ?? '');
    if (origin === undefined || origin.delivered !== this.#delivered + 1) {
      this.#end(new TocsinError('TCN_UNAVAILABLE', 'NATS: a message of the stream was lost on the way'));
      return;
    }
    this.#delivered = origin.delivered;
    this.#requested = Math.max(0, this.#requested - 1);
    this.#queue.push({
      subject: message.subject,
      sequence: origin.sequence,
      pending: origin.pending,
      headers: message.headers,
      data: message.data,
    });
    this.#wake?.();
  }

  /** Status messages of a pull (ADR-37): 100 is a heartbeat, 408 and some 409 end that pull alone, all else ends the reader. */
  #receiveStatus(headers: MsgHdrs): void {
    if (headers.code === 100) return;
    const left = headers.get('Nats-Pending-Messages');
    if ((headers.code === 408 || headers.code === 409) && left !== '') {
      this.#requested = Math.max(0, this.#requested - Number(left));
      if (headers.code === 408 || PULL_ENDS.has(headers.description)) {
        this.#pull();
        return;
      }
    }
    this.#end(new TocsinError('TCN_UNAVAILABLE', `NATS: the consumer ended (${headers.code} ${headers.description})`));
  }

  #pull(): void {
    const held = this.#requested + this.#queue.length;
    if (this.#ended !== undefined || held > WINDOW_MESSAGES / 2) return;
    const batch = WINDOW_MESSAGES - held;
    if (this.#requested === 0) this.#heardAtMs = performance.now();
    this.#requested += batch;
    const pull = {
      batch,
      max_bytes: Math.max(PULL_BYTES, 2 * this.#link.maxPayloadBytes),
      expires: nanos(PULL_EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    };
    try {
      this.#link.nats.publish(this.#pullSubject, JSON.stringify(pull), { reply: this.#inbox });
    } catch (error) {
      this.#end(brokerError('pull from the stream', error));
    }
  }

  #checkSilence(): void {
    if (this.#requested > 0 && performance.now() - this.#heardAtMs > SILENCE_MS) {
      this.#end(new TocsinError('TCN_UNAVAILABLE', 'NATS: the consumer has fallen silent'));
    }
  }

  #arrival(idleMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, idleMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        // One turn of the loop later everything that came in the same read from the socket is here too.
        setImmediate(resolve);
      };
    });
  }

  #end(error: TocsinError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearInterval(this.#watch);
    this.#offDisconnect();
    this.#offAbort();
    this.#subscription.unsubscribe();
    this.#wake?.();
  }
}

/**
 * Reads the reply subject of a delivered message: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.
 * <time>.<pending>`, with domain and account hash before the stream on servers that add them.
 */
function parseOrigin(reply: string): { sequence: number; delivered: number; pending: number } | undefined {
  const tokens = reply.split('.');
  if (tokens.length !== 9 && tokens.length < 11) return undefined;
  const [sequence, delivered, , pending] = tokens.slice(tokens.length === 9 ? 5 : 7).map(Number);
  if (sequence === undefined || delivered === undefined || pending === undefined) return undefined;
  return { sequence, delivered, pending };
}
