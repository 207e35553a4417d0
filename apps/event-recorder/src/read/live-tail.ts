import { once } from 'node:events';
import type { EventStore } from '@tocsin/contracts';
import { eventLabels, labelsContain, type RecordedEvent, typeMatches } from '@tocsin/domain';
import { type Logger, pause } from '@tocsin/platform';
import { type LogFilter, readBounded, serialize, type SerializedEvent } from './bounded-page.js';
import { Wakeup } from './wakeup.js';

/** Events in one step of a reader. */
const PAGE_EVENTS = 200;

/** Bytes of JSON in one step of a reader that lags: what each of them may hold in memory. */
const PAGE_BYTES = 1024 * 1024;

/** Newest events kept for all readers together, so that a thousand readers cost one query a commit. */
const RING_EVENTS = 2_000;

/** Bytes of JSON kept at most, for the same. */
const RING_BYTES = 16 * 1024 * 1024;

/** Looks at the log this often even without a notification, in milliseconds: one may get lost with its connection. */
const POLL_MS = 2_000;

/** Pause after a failed read of the head, in milliseconds. */
const RETRY_MS = 500;

/** Notifications of commits in force. */
export interface Notifications {
  close(): Promise<void>;
}

/** What {@link LiveTail} is given. */
export interface LiveTailOptions {
  store: Pick<EventStore, 'read' | 'head'>;
  /** Calls `onCommit` after every commit from when it resolves until it is closed. It may miss some, and it should not reject. */
  notifications: (onCommit: () => void) => Promise<Notifications>;
  logger: Logger;
}

/** A step of a reader: events that match (maybe none), and the position up to which everything has been looked at. */
export interface TailStep {
  events: SerializedEvent[];
  position: number;
}

/**
 * Follows the log for any number of readers. A reader pulls: one that keeps up is fed from memory, one that does not reads pages from
 * Postgres until it has caught up, and nothing is ever queued for it.
 */
export class LiveTail {
  #ring: SerializedEvent[] = [];
  #ringBytes = 0;
  /** Last position looked at; the ring holds the events up to it. Undefined while nobody follows. */
  #head: number | undefined;
  #followers = 0;
  readonly #grown = new Wakeup();
  readonly #stale = new Wakeup();
  #nudged = false;
  #pumping: { stop: AbortController; done: Promise<unknown> } | undefined;
  #closed = false;

  constructor(private readonly options: LiveTailOptions) {}

  /** Readers that follow now. */
  get followers(): number {
    return this.#followers;
  }

  /** Ends the pump; readers end by their own signals. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stopPump();
  }

  /**
   * Every event after `after` that matches, in order of position, without a gap, until `signal` aborts. Yields an empty step
   * where nothing matched, and at least one step every `idleMs`.
   * @throws whatever the store throws when a lagging reader's page cannot be read
   */
  async *follow(
    options: LogFilter & { after: number; idleMs: number; signal: AbortSignal },
  ): AsyncGenerator<TailStep, void, undefined> {
    const { signal } = options;
    let position = options.after;
    this.#enter();
    try {
      while (!signal.aborted) {
        const step = this.#fromRing(position, options) ?? (await this.#fromStore(position, options));
        position = step.position;
        yield step;
        if (this.#isAtHead(position)) await this.#grown.wait(options.idleMs, signal);
      }
    } finally {
      await this.#leave();
    }
  }

  #isAtHead(position: number): boolean {
    return this.#head === undefined || position >= this.#head;
  }

  /** The next step from memory; undefined where memory does not reach back to `position`. */
  #fromRing(position: number, filter: LogFilter): TailStep | undefined {
    if (this.#head === undefined) return undefined;
    if (position >= this.#head) return { events: [], position };
    const start = this.#head - this.#ring.length;
    if (position < start) return undefined;
    const slice = this.#ring.slice(position - start, position - start + PAGE_EVENTS);
    const last = slice.at(-1)?.event.position ?? position;
    return { events: slice.filter(({ event }) => matches(event, filter)), position: last };
  }

  async #fromStore(after: number, filter: LogFilter): Promise<TailStep> {
    const { types, subject, labels } = filter;
    const bounds = { limit: PAGE_EVENTS, maxBytes: PAGE_BYTES };
    const page = await readBounded(this.options.store, { after, types, subject, labels, ...bounds });
    return { events: page.events, position: page.next };
  }

  #enter(): void {
    this.#followers += 1;
    if (this.#closed || this.#pumping !== undefined) return;
    const stop = new AbortController();
    const done = Promise.all([this.#pump(stop.signal), this.#hear(stop.signal)]);
    this.#pumping = { stop, done };
  }

  async #leave(): Promise<void> {
    this.#followers -= 1;
    if (this.#followers === 0) await this.#stopPump();
  }

  async #stopPump(): Promise<void> {
    const pumping = this.#pumping;
    this.#pumping = undefined;
    pumping?.stop.abort();
    // A later pump starts at the head of its own time; this one changes nothing any more.
    this.#ring = [];
    this.#ringBytes = 0;
    this.#head = undefined;
    await pumping?.done;
  }

  /** Only while somebody follows: each commit would wake this process, and a connection would be kept, for nobody. */
  async #hear(signal: AbortSignal): Promise<void> {
    const notifications = await this.options.notifications(() => this.#nudge());
    // Of what was committed since the pump's first look nobody has told.
    this.#nudge();
    if (!signal.aborted) await once(signal, 'abort');
    await notifications.close();
  }

  /** Something may have been committed: look now instead of at the next poll. */
  #nudge(): void {
    this.#nudged = true;
    this.#stale.wake();
  }

  async #pump(signal: AbortSignal): Promise<void> {
    const { store, logger } = this.options;
    let head: number | undefined;
    while (!signal.aborted) {
      this.#nudged = false;
      try {
        head ??= await store.head();
        let page = await store.read({ after: head, limit: PAGE_EVENTS });
        while (!signal.aborted) {
          head = page.events.at(-1)?.position ?? head;
          this.#extend(page.events, head);
          if (page.events.length < PAGE_EVENTS) break;
          page = await store.read({ after: head, limit: PAGE_EVENTS });
        }
        if (!this.#nudged) await this.#stale.wait(POLL_MS, signal);
      } catch (error) {
        logger.warn({ err: error }, 'cannot read the head of the log for its followers');
        await pause(RETRY_MS, signal);
      }
    }
  }

  #extend(events: RecordedEvent[], head: number): void {
    for (const event of events) {
      const entry = serialize(event);
      this.#ring.push(entry);
      this.#ringBytes += entry.json.length;
    }
    let drop = 0;
    while (this.#ring.length - drop > RING_EVENTS || this.#ringBytes > RING_BYTES) {
      this.#ringBytes -= this.#ring[drop]?.json.length ?? 0;
      drop += 1;
    }
    if (drop > 0) this.#ring = this.#ring.slice(drop);
    if (this.#head === head) return;
    this.#head = head;
    this.#grown.wake();
  }
}

function matches(event: RecordedEvent, filter: LogFilter): boolean {
  if (filter.subject !== undefined && event.subject !== filter.subject) return false;
  if (filter.labels !== undefined && !labelsContain(eventLabels(event), filter.labels)) return false;
  return filter.types === undefined || filter.types.some((pattern) => typeMatches(pattern, event.type));
}
