import { TocsinError, isTocsinError, cloudEventJson, type Clock, type Random, type SpelledEvent } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import { FRESH_EVENT_MS } from '@tocsin/tracing';
import type { StreamInfo } from '@nats-io/jetstream';
import type { Broker } from './broker.js';
import { eventSubject } from './event-subject.js';
import {
  alignEventsStream,
  createEventsStream,
  deleteEventsStream,
  findEventsStream,
  type EventsStreamOptions,
} from './events-stream.js';
import type { Link } from './link.js';
import { linkOf } from './link-registry.js';
import { type Outgoing, PublishPipeline, SequenceRefused } from './publish-pipeline.js';
import { streamDiverges } from './stream-divergence.js';
import { Backoff, orAborted, pause, Wakeup } from './waiting.js';

export interface RelayOptions {
  broker: Broker;
  /**
   * Events of the log with a position greater than `after`, in order, without a gap, at most `limit`; fewer where they are large, and none
   * only where the log ends.
   */
  read: (after: number, limit: number) => Promise<SpelledEvent[]>;
  /** Last committed position of the log, 0 where it is empty. Must never lag behind what has been committed. */
  head: () => Promise<number>;
  clock: Clock;
  random: Random;
  /** The stream stands at this position. Called after every acknowledgement, in order. */
  onProgress?: (position: number) => void;
  /** Told of what interrupts the relay, once for as long as it keeps to one error code. It carries on by itself. */
  onError?: (error: TocsinError) => void;
  stream?: EventsStreamOptions;
  /** How many events back a stream that has to be made anew is filled. Default 1,000,000. */
  refillEvents?: number;
  /** How often the log is read without a nudge, milliseconds. Default 1000. */
  pollMs?: number;
  /**
   * What to do with a stream that contradicts the log. `refuse` (default): leave it alone and say so. `rebuild`: delete it and fill a
   * new one; only right where the broker certainly belongs to this log alone.
   */
  divergence?: 'refuse' | 'rebuild';
}

/** How the relay stands. */
export interface RelayStatus {
  /** `stopped`, `starting` (never been in step yet), `relaying`, `retrying` (interrupted, carries on by itself), `refusing` (needs a person). */
  state: 'stopped' | 'starting' | 'relaying' | 'retrying' | 'refusing';
  /** Position the stream was last known to stand at. */
  position: number;
  /** Why it is retrying or refusing. */
  error?: TocsinError;
  /** Since when the state is what it is, epoch milliseconds. */
  sinceMs: number;
}

const PAGE_EVENTS = 500;
const DEFAULT_REFILL_EVENTS = 1_000_000;
const DEFAULT_POLL_MS = 1_000;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1_000;
/** How long a clean stop waits for acknowledgements of what is sent. */
const STOP_MS = 1_000;

/**
 * Copies the log to the stream EVENTS so that sequence ≡ position. The broker itself refuses whatever would break that, so rival relays
 * and stale ones are harmless: the loser looks where the stream stands and carries on from there. A stream that is gone is made anew
 * and filled from the log.
 *
 * A stream that contradicts the log (it is ahead of it, or holds another event at the last position both have) cannot be right, because
 * an event is relayed only after it is committed: the log was restored from an older backup, or the stream belongs to another log. The
 * relay never publishes over it, and by default does not delete it either: a test system started with a copy of the production database
 * and its broker address would otherwise destroy the production stream. Followers notice the contradiction themselves and read the log.
 */
export class RelayPublisher {
  readonly #options: RelayOptions;
  readonly #link: Link;
  readonly #wakeup = new Wakeup();
  readonly #backoff: Backoff;
  #abort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  /** As far as the log is known to reach. */
  #head = 0;
  #status: RelayStatus;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#link = linkOf(options.broker);
    this.#backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS, options.random);
    this.#status = { state: 'stopped', position: 0, sinceMs: options.clock.now() };
  }

  /** Begins to relay; returns at once. Does nothing while it runs. */
  start(): void {
    if (this.#abort !== undefined) return;
    this.#abort = new AbortController();
    this.#set('starting');
    this.#running = this.#run(this.#abort.signal);
  }

  /** The log has reached `position`: relay it now. A nudge that is lost costs one poll interval. */
  notify(position: number): void {
    this.#head = Math.max(this.#head, position);
    if (position > this.#status.position) this.#wakeup.wake();
  }

  /** How the relay stands, for readiness and metrics. */
  status(): RelayStatus {
    return { ...this.#status };
  }

  /** Stops after what has been sent is acknowledged, a second at the most. */
  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#running;
    this.#abort = undefined;
    this.#set('stopped');
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!(await this.#link.whenConnected(MAX_RETRY_MS, signal))) continue;
        const last = await orAborted(this.#synchronise(), signal);
        this.#status.position = last;
        await this.#relay(last, signal);
      } catch (error) {
        if (signal.aborted) break;
        const shown = asTocsinError(error);
        const stuck = isTocsinError(shown, 'TCN_LOG_DAMAGED', 'TCN_NATS_UNSUITABLE');
        const known = this.#status.error?.code === shown.code;
        this.#set(stuck ? 'refusing' : 'retrying', shown);
        // Losing to a rival is part of the game and heals by looking again.
        if (!known && !(error instanceof SequenceRefused)) this.#options.onError?.(shown);
        await pause(stuck ? MAX_RETRY_MS : this.#backoff.next(), signal);
      }
    }
  }

  /** Where the stream stands, after making sure that there is one and that it agrees with the log. */
  async #synchronise(): Promise<number> {
    const { stream = {}, head } = this.#options;
    const found = await findEventsStream(this.#link);
    // The stream was looked at before the log: a healthy stream can only be behind what the log says now.
    const position = await head();
    this.#head = position;
    if (found === undefined) return (await this.#create(position)).state.last_seq;
    const wrong = await streamDiverges(this.#link, found, position, this.#options.read);
    if (wrong === undefined) return (await alignEventsStream(this.#link, stream, found)).state.last_seq;
    const error = new TocsinError(
      'TCN_LOG_DAMAGED',
      `stream ${JETSTREAM.eventsStream} contradicts the log: ${wrong}. If this broker belongs to this log alone, delete the stream; it is filled again from the log`,
    );
    if (this.#options.divergence !== 'rebuild') throw error;
    this.#options.onError?.(error);
    await deleteEventsStream(this.#link);
    return (await this.#create(position)).state.last_seq;
  }

  #create(head: number): Promise<StreamInfo> {
    const refill = this.#options.refillEvents ?? DEFAULT_REFILL_EVENTS;
    return createEventsStream(this.#link, this.#options.stream ?? {}, Math.max(1, head - refill + 1));
  }

  async #relay(last: number, signal: AbortSignal): Promise<void> {
    const pipeline = new PublishPipeline(this.#link, {
      last,
      onAcked: (position) => this.#acked(position),
      onFailure: () => this.#wakeup.wake(),
    });
    try {
      let sent = last;
      let page = this.#read(sent);
      this.#set('relaying');
      while (!signal.aborted && pipeline.failure === undefined) {
        const events = await orAborted(page, signal);
        const end = sent + events.length;
        // Large events make a page short, so its length alone does not say that the log ends there.
        const ended = events.length === 0 || (events.length < PAGE_EVENTS && end >= this.#head);
        // The next page is read while this one is sent.
        page = ended ? Promise.resolve([]) : this.#read(end);
        page.catch(() => undefined);
        for (const event of events) {
          // Only here the loop is left: what was sent before a wait for room is to be acknowledged.
          if (pipeline.full) await pipeline.room();
          if (signal.aborted) break;
          sent++;
          pipeline.publish({ ...outgoing(event, sent, this.#options.clock.now()), last: sent === end });
        }
        if (ended) {
          const nudged = await this.#nudge(pipeline, sent, signal);
          if (!nudged) await orAborted(this.#confirm(pipeline, sent), signal);
          page = this.#read(sent);
          page.catch(() => undefined);
        }
      }
    } finally {
      await settleWithin(pipeline, STOP_MS);
    }
  }

  /** Waits for news, a poll interval at most. Everybody whose event shared a commit nudges; one of them is news. */
  async #nudge(pipeline: PublishPipeline, sent: number, signal: AbortSignal): Promise<boolean> {
    const pollMs = this.#options.pollMs ?? DEFAULT_POLL_MS;
    while (await this.#wakeup.wait(pollMs, signal)) {
      if (this.#head > sent || pipeline.failure !== undefined) return true;
    }
    return signal.aborted;
  }

  /** With nothing to publish nobody would notice that the stream has been deleted or that a rival is ahead: look. */
  async #confirm(pipeline: PublishPipeline, sent: number): Promise<void> {
    await pipeline.settled();
    const found = await findEventsStream(this.#link);
    if (found?.state.last_seq !== sent) throw new SequenceRefused(sent + 1);
  }

  #read(after: number): Promise<SpelledEvent[]> {
    return this.#options.read(after, PAGE_EVENTS);
  }

  #acked(position: number): void {
    this.#status.position = position;
    this.#backoff.reset();
    this.#options.onProgress?.(position);
  }

  #set(state: RelayStatus['state'], error?: TocsinError): void {
    const sinceMs = state === this.#status.state ? this.#status.sinceMs : this.#options.clock.now();
    this.#status = { state, position: this.#status.position, sinceMs, ...(error === undefined ? {} : { error }) };
  }
}

function outgoing(event: SpelledEvent, position: number, nowMs: number): Omit<Outgoing, 'last'> {
  if (event.position !== position) {
    throw new TocsinError('TCN_LOG_DAMAGED', `the log gave position ${event.position} where ${position} is next`);
  }
  const { traceparent } = event.extensions;
  return {
    position,
    subject: eventSubject(event),
    payload: Buffer.from(cloudEventJson(event), 'utf8'),
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    traced: traceparent !== undefined && nowMs - Date.parse(event.recordedAt) < FRESH_EVENT_MS,
  };
}

/**
 * Waits for the acknowledgement of what has been sent, `ms` milliseconds at the most, and closes the pipeline.
 * @throws TocsinError why the pipeline failed, if it did
 */
async function settleWithin(pipeline: PublishPipeline, ms: number): Promise<void> {
  const timer = setTimeout(() => pipeline.close(), ms);
  try {
    await pipeline.settled();
  } finally {
    clearTimeout(timer);
    pipeline.close();
  }
}

function asTocsinError(error: unknown): TocsinError {
  if (isTocsinError(error)) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TocsinError('TCN_UNAVAILABLE', `the relay could not read the log: ${why}`, { cause: error });
}
