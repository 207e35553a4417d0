import { TocsinError, isTocsinError, type Random, type RecordedEvent } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import { DeliverPolicy } from '@nats-io/jetstream';
import type { Broker } from './broker.js';
import { findEventsStream } from './events-stream.js';
import type { FollowerMeter } from './follower-meter.js';
import type { Link } from './link.js';
import { linkOf } from './link-registry.js';
import { logReader, type LogPage } from './log-reader.js';
import { eventIn, sameEvent } from './stream-divergence.js';
import { StreamReader, type StreamMessage } from './stream-reader.js';
import { Backoff, orAborted, pause } from './waiting.js';

export interface FollowOptions {
  /** The checkpoint: the first event wanted is `after + 1`. */
  after: number;
  /** Reads the log itself: events with a position greater than `after`, in order, at most `limit`. Default: asks the event recorder. */
  read?: (after: number, limit: number) => Promise<LogPage>;
  /**
   * Takes events strictly in order of position, without gap or duplicate, at most 500 or about 1 MiB at once. Awaited: while it runs,
   * nothing more is fetched than a bounded buffer. What it throws goes to `onError`, and the same events are handed over again.
   */
  onEvents: (events: RecordedEvent[]) => Promise<void>;
  /** Ends the following; a running `onEvents` is awaited. */
  signal: AbortSignal;
  /** Everything that was there has been handed over: called once at first, and once again after each interruption. */
  onCaughtUp?: () => void;
  /** Told of every interruption and every failed `onEvents`. Nothing needs doing: it carries on by itself. */
  onError?: (error: unknown) => void;
  /** For the jitter of retries. Default `Math.random`. */
  random?: Random;
  /** Told how far it is, for the metrics. */
  meter?: FollowerMeter;
}

const MAX_BATCH_EVENTS = 500;
const MAX_BATCH_BYTES = 1024 * 1024;
/** A stream that has been silent for so long is checked against the log: a dead relay delays a follower by this, never stops it. */
const IDLE_CHECK_MS = 3_000;
/** How often the log is read while there is no stream to wait on. */
const NO_STREAM_POLL_MS = 250;
/** How long a stream that contradicted the log is left alone. */
const DISTRUST_MS = 5_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
const MAX_HANDLER_RETRY_MS = 10_000;

/**
 * Follows the log from a checkpoint until aborted. The stream EVENTS is the quick way; the log decides. Whenever it turns to the stream
 * it reads the log once, too: a stream that is ahead of the log, or has another event at the next position, is not this log's present
 * (see RelayPublisher) and is not used. Where the stream does not reach back, is missing or behind, pages of the log are read instead.
 * Without a connection to NATS it waits.
 */
export function followLog(broker: Broker, options: FollowOptions): Promise<void> {
  return new LogFollower(linkOf(broker), options, options.read ?? logReader(broker)).run();
}

class LogFollower {
  readonly #link: Link;
  readonly #options: FollowOptions;
  readonly #read: (after: number, limit: number) => Promise<LogPage>;
  readonly #retry: Backoff;
  readonly #random: Random;
  #last: number;
  #caughtUp = false;
  #distrustUntilMs = 0;

  constructor(link: Link, options: FollowOptions, read: (after: number, limit: number) => Promise<LogPage>) {
    this.#link = link;
    this.#options = options;
    this.#read = read;
    this.#last = options.after;
    this.#random = options.random ?? Math.random;
    this.#retry = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS, this.#random);
    options.meter?.began(options.after);
  }

  async run(): Promise<void> {
    const { signal, onError } = this.#options;
    while (!signal.aborted) {
      try {
        if (await this.#link.whenConnected(MAX_RETRY_MS, signal)) await this.#advance();
      } catch (error) {
        if (signal.aborted) break;
        onError?.(error);
        await pause(this.#retry.next(), signal);
      }
      this.#caughtUp = false;
    }
  }

  /** Goes on for as long as nothing is in doubt. */
  async #advance(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted && this.#link.connected) {
      const stream = await orAborted(findEventsStream(this.#link), signal);
      const reachable =
        stream !== undefined &&
        performance.now() >= this.#distrustUntilMs &&
        stream.state.first_seq <= this.#last + 1 &&
        stream.state.last_seq >= this.#last;
      // Read after the stream was looked at: a healthy stream is then not ahead of the page's head.
      const page = await this.#page(reachable ? 1 : MAX_BATCH_EVENTS);
      if (reachable && stream.state.last_seq > page.head) {
        throw this.#distrust(`it is at ${stream.state.last_seq}, the log at ${page.head}`);
      }
      if (reachable) {
        await this.#fromStream(page);
      } else {
        await this.#fromPage(page);
        if (page.events.length === 0) await pause(NO_STREAM_POLL_MS, signal);
      }
    }
  }

  /** Hands over what the stream has and gets, until it ends or falls behind the log. */
  async #fromStream(page: LogPage): Promise<void> {
    const { signal } = this.#options;
    const start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#last + 1 };
    const reader = await StreamReader.open(this.#link, JETSTREAM.eventsStream, start, signal);
    try {
      let expected = page.events[0];
      this.#noteProgress(page.head);
      while (!signal.aborted) {
        const messages = await reader.take(MAX_BATCH_EVENTS, MAX_BATCH_BYTES, IDLE_CHECK_MS);
        if (messages.length === 0) {
          if (await this.#stalled()) return;
          continue;
        }
        const events = this.#open(messages);
        const first = events[0];
        if (expected !== undefined && first !== undefined && !sameEvent(expected, first)) {
          throw this.#distrust(`at position ${first.position} they hold different events`);
        }
        if (first !== undefined) expected = undefined;
        await this.#handOver(events);
        this.#noteProgress(page.head);
        this.#retry.reset();
      }
    } finally {
      reader.close();
    }
  }

  /** Has the log something the stream has not brought? Then it is handed over from there. */
  async #stalled(): Promise<boolean> {
    let page: LogPage;
    try {
      page = await this.#page(MAX_BATCH_EVENTS);
    } catch (error) {
      // Nobody to ask is no reason to doubt the stream.
      if (isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_TIMEOUT')) return false;
      throw error;
    }
    if (page.events.length === 0) return false;
    await this.#fromPage(page);
    return true;
  }

  async #fromPage(page: LogPage): Promise<void> {
    for (const [index, event] of page.events.entries()) {
      const next = this.#last + 1 + index;
      if (event.position === next) continue;
      throw new TocsinError('TCN_LOG_DAMAGED', `the log gave position ${event.position} where ${next} is next`);
    }
    await this.#handOver(page.events);
    this.#noteProgress(page.head);
    this.#retry.reset();
  }

  async #page(limit: number): Promise<LogPage> {
    const page = await orAborted(this.#read(this.#last, limit), this.#options.signal);
    if (page.head >= this.#last) return page;
    throw new TocsinError('TCN_LOG_DAMAGED', `the log ends at ${page.head}, the checkpoint is ${this.#last}`);
  }

  /** The events in messages, those handed over already left out. */
  #open(messages: StreamMessage[]): RecordedEvent[] {
    const events: RecordedEvent[] = [];
    for (const message of messages) {
      if (message.sequence <= this.#last) continue;
      const event = eventIn(message.data, message.sequence);
      if (event === undefined) throw this.#distrust(`its sequence ${message.sequence} holds no event of that position`);
      const next = this.#last + 1 + events.length;
      if (event.position !== next) throw this.#distrust(`position ${event.position} came where ${next} is next`);
      events.push(event);
    }
    return events;
  }

  /** Hands events over until they are taken. */
  async #handOver(events: RecordedEvent[]): Promise<void> {
    const { onEvents, onError, signal, meter } = this.#options;
    const last = events.at(-1);
    if (last === undefined) return;
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_HANDLER_RETRY_MS, this.#random);
    while (!signal.aborted) {
      try {
        await onEvents(events);
        this.#last = last.position;
        meter?.took(last);
        return;
      } catch (error) {
        onError?.(error);
        await pause(backoff.next(), signal);
      }
    }
  }

  #noteProgress(head: number): void {
    if (this.#caughtUp || this.#last < head) return;
    this.#caughtUp = true;
    this.#options.onCaughtUp?.();
  }

  #distrust(why: string): TocsinError {
    this.#distrustUntilMs = performance.now() + DISTRUST_MS;
    return new TocsinError('TCN_LOG_DAMAGED', `stream ${JETSTREAM.eventsStream} contradicts the log: ${why}`);
  }
}
