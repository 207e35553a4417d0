import { JETSTREAM } from '@tocsin/contracts';
import { TocsinError, type RecordedEvent } from '@tocsin/domain';
import { jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { brokerError } from './broker-error.js';
import type { Link } from './link.js';
import { eventIn } from './stream-divergence.js';

/** One delivery of an event by a durable. */
export interface DurableMessage {
  position: number;
  event: RecordedEvent;
  /** Counts the deliveries of the durable, to anybody: consecutive numbers mean that nothing it wants lies between. */
  delivery: number;
  /** 1 at the first delivery of this event. */
  attempt: number;
  /** The work is done. Sent, not confirmed: an acknowledgement that gets lost shows in another delivery. */
  ack(): void;
  /** Still at work: the time after which it is delivered again starts anew. */
  working(): void;
  /** Give it to somebody else at once. */
  release(): void;
}

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 3_000;

/**
 * Reads a durable until the first doubt (connection broken, consumer or stream gone, heartbeats missing), then ends; whoever reads looks
 * how the durable stands and opens another one. What was delivered and not acknowledged stays the durable's duty.
 */
export class DurableReader {
  readonly #messages: ConsumerMessages;
  readonly #queue: JsMsg[] = [];
  readonly #offs: (() => void)[] = [];
  #ended: TocsinError | undefined;
  #wake: (() => void) | undefined;

  private constructor(link: Link, messages: ConsumerMessages, signal: AbortSignal) {
    this.#messages = messages;
    this.#offs.push(link.onDisconnect((error) => this.#end(error)));
    const abort = (): void => this.close();
    signal.addEventListener('abort', abort, { once: true });
    this.#offs.push(() => signal.removeEventListener('abort', abort));
    void this.#drain();
    void this.#watch();
  }

  /**
   * @param maxMessages asked for ahead of what has been taken
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT`
   */
  static async open(link: Link, name: string, maxMessages: number, signal: AbortSignal): Promise<DurableReader> {
    try {
      const consumer = await link.guard(jetstream(link.nats).consumers.get(JETSTREAM.eventsStream, name));
      const messages = await consumer.consume({
        max_messages: maxMessages,
        expires: EXPIRES_MS,
        idle_heartbeat: HEARTBEAT_MS,
      });
      return new DurableReader(link, messages, signal);
    } catch (error) {
      throw brokerError(`read durable ${name}`, error);
    }
  }

  /**
   * What has been delivered; waits for the first up to `idleMs` milliseconds, then returns none.
   * @throws TocsinError why it has ended, after everything delivered is taken; `TCN_LOG_DAMAGED` if a message is not the event it should be
   */
  async take(idleMs: number): Promise<DurableMessage[]> {
    if (this.#queue.length === 0 && this.#ended === undefined) await this.#arrival(idleMs);
    if (this.#queue.length === 0 && this.#ended !== undefined) throw this.#ended;
    return this.#queue.splice(0).map(opened);
  }

  /** Takes no more, and gives back what has not been taken. */
  close(): void {
    if (this.#ended === undefined) for (const message of this.#queue.splice(0)) message.nak();
    this.#end(new TocsinError('TCN_UNAVAILABLE', 'the reader is closed'));
  }

  async #drain(): Promise<void> {
    try {
      for await (const message of this.#messages) {
        this.#queue.push(message);
        this.#wake?.();
      }
      this.#end(new TocsinError('TCN_UNAVAILABLE', 'NATS: the consumer ended'));
    } catch (error) {
      this.#end(brokerError('read the durable', error));
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.#messages.status()) {
      switch (status.type) {
        case 'consumer_deleted':
        case 'consumer_not_found':
        case 'stream_not_found':
        case 'no_responders':
        case 'heartbeats_missed':
          this.#end(new TocsinError('TCN_UNAVAILABLE', `NATS: the consumer ended (${status.type})`));
          break;
        default:
      }
    }
  }

  #arrival(idleMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, idleMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        setImmediate(resolve);
      };
    });
  }

  #end(error: TocsinError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const off of this.#offs) off();
    void this.#messages.close();
    this.#wake?.();
  }
}

function opened(message: JsMsg): DurableMessage {
  const { streamSequence: position, deliverySequence: delivery, deliveryCount: attempt } = message.info;
  const event = eventIn(message.data, position);
  if (event === undefined) {
    const detail = `its sequence ${position} holds no event of that position`;
    throw new TocsinError('TCN_LOG_DAMAGED', `stream ${JETSTREAM.eventsStream} contradicts the log: ${detail}`);
  }
  return {
    position,
    event,
    delivery,
    attempt,
    ack: () => message.ack(),
    working: () => message.working(),
    release: () => message.nak(),
  };
}
