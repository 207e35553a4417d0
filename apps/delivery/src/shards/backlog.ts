import type { SubscriptionSpec } from '@tocsin/contracts';
import { askFilter } from '@tocsin/cel';
import { type Clock, clauseMatches, type RecordedEvent } from '@tocsin/domain';
import { type Logger, pause } from '@tocsin/platform';
import type { ParkedRecord } from '../ledger/records.js';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook, SubscriptionRevision } from '../match/subscription-book.js';
import type { DeliveryStatistics } from '../send/delivery-statistics.js';
import type { SubscriptionQueue } from '../send/subscription-queue.js';
import type { Balance } from './balance.js';
import { Newest } from './newest.js';

/** Deliveries held in memory for one subscription; what comes beyond is parked at a position and read again later. */
export const MOST_TRACKED = 1_000;
/** A parked subscription reads on when it has come down to this. */
const READ_ON_AT = MOST_TRACKED / 2;
const PAGE = 200;
/** Where only the newest of each subject is wanted, pages are large: most of what they hold is passed over. */
const SCAN_PAGE = 1_000;
const RETRY_MS = 500;

/** Parked because too much waits: it ends by itself. */
export const PARKED_BACKLOG = 'backlog';
/** Parked at the start of the log until the newest event of each subject is found. */
export const PARKED_SNAPSHOT = 'snapshot';
/** Parked until somebody resumes it. Any other reason disabled the subscription. */
export const PARKED_PAUSED = 'paused';
const READING: readonly string[] = [PARKED_BACKLOG, PARKED_SNAPSHOT];

/** Does a new subscription want something from before its declaration? */
export function startsInPast({ from }: SubscriptionSpec): boolean {
  return typeof from === 'object' || from === 'snapshot';
}

/** What the backlog needs of its shard. */
export interface BacklogHost {
  readonly ledger: ShardLedger;
  readonly balance: Balance;
  /** Position of the last event taken in. */
  readonly cursor: number;
  /** Aborted when nothing more is to be read. */
  readonly stopping: AbortSignal;
  queueOf(subscription: string): SubscriptionQueue;
  /** Puts a delivery with a row into the queue. @returns false if it is there, or settled */
  takeUp(subscription: string, event: Pick<RecordedEvent, 'position' | 'subject'>, body?: RecordedEvent): boolean;
  wake(queue: SubscriptionQueue): void;
}

/**
 * The parked subscriptions of a shard: what each wants behind its position waits in the log, at the cost of one row however much it
 * is, and is brought forward page by page when there is room again. Where only the latest counts it is brought forward at once: the
 * newest event of each subject.
 */
export class Backlog {
  readonly #parked = new Map<string, ParkedRecord>();
  readonly #newest = new Map<string, Newest>();
  readonly #reading = new Set<string>();

  constructor(
    private readonly host: BacklogHost,
    private readonly parts: {
      book: SubscriptionBook;
      log: LogSource;
      statistics: DeliveryStatistics;
      clock: Clock;
      logger: Logger;
    },
  ) {}

  get size(): number {
    return this.#parked.size;
  }

  /** The smallest position that may still be matched for a parked subscription. */
  get oldest(): number {
    return Math.min(...[...this.#parked.values()].map(({ position }) => position));
  }

  /** Takes up what the last owner left. */
  restore(record: ParkedRecord): void {
    this.#parked.set(record.subscription, record);
  }

  /** Is nothing sent to the subscription until somebody changes that? */
  isHeld(subscription: string): boolean {
    const parked = this.#parked.get(subscription);
    return parked !== undefined && !READING.includes(parked.reason);
  }

  /** Does this event wait in the log, because its subscription is parked before it? */
  holds(revision: SubscriptionRevision, event: RecordedEvent): boolean {
    const parked = this.#parked.get(revision.name);
    if (parked === undefined || event.position <= parked.position) return false;
    if (revision.spec.delivery === 'latest') this.#newestOf(revision.name, event.position - 1).note(event);
    this.host.balance.hold(revision.name, event.position);
    return true;
  }

  /** Everything behind `position` waits, at the cost of one row. */
  park(subscription: string, position: number, reason: string): void {
    const known = this.#parked.get(subscription);
    const record = { subscription, position, reason, since: known?.since ?? this.parts.clock.now() };
    this.#parked.set(subscription, record);
    this.host.ledger.note((batch) => batch.parked(subscription, record));
  }

  /** A new subscription begins before its declaration. */
  begin({ name, spec: { from }, fromPosition }: SubscriptionRevision): void {
    if (from === 'snapshot') return this.park(name, 0, PARKED_SNAPSHOT);
    const start = typeof from === 'object' && 'position' in from ? from.position : 0;
    if (start < fromPosition) this.park(name, start, PARKED_BACKLOG);
  }

  /** Holds the subscription where it stands. */
  hold(subscription: string, reason: string): void {
    this.park(subscription, this.#parked.get(subscription)?.position ?? this.host.cursor, reason);
  }

  /** What was held because of an older declaration goes on. */
  resume(subscription: string): void {
    const parked = this.#parked.get(subscription);
    if (parked === undefined) return;
    if (!READING.includes(parked.reason)) this.park(subscription, parked.position, PARKED_BACKLOG);
    this.readOn(subscription);
  }

  /** The subscription is gone. */
  removed(subscription: string): void {
    this.#newest.delete(subscription);
    this.host.balance.remove(subscription);
    if (this.#parked.delete(subscription)) this.host.ledger.note((batch) => batch.parked(subscription, null));
  }

  /** A delivery has left the queue, or the endpoint has given a sign of life: room for what is parked. */
  roomIn(queue: SubscriptionQueue, success: boolean): void {
    if (!this.#parked.has(queue.name)) return;
    // While the endpoint rests, what waits keeps growing; only a sign of life ends that. What comes then replaces what waits.
    const has = queue.latestOnly ? !success && queue.size > 0 : queue.size > READ_ON_AT;
    if (!has) this.readOn(queue.name);
  }

  /** Brings everything forward that may be. */
  readOnAll(): void {
    for (const name of this.#parked.keys()) if (this.host.queueOf(name).size === 0) this.readOn(name);
  }

  /** Brings a subscription forward. */
  readOn(subscription: string): void {
    const parked = this.#parked.get(subscription);
    if (parked === undefined || this.#reading.has(subscription) || !READING.includes(parked.reason)) return;
    // Until the reading has come to where it was parked, nothing is known to be missing.
    if (parked.position > this.host.cursor) return;
    void this.#read(subscription);
  }

  async #read(subscription: string): Promise<void> {
    this.#reading.add(subscription);
    try {
      for (let next = this.#due(subscription); next !== undefined; next = this.#due(subscription)) {
        await this.#take(next.parked, next.revision);
      }
    } finally {
      // In the same breath as the last look: what is to be read from a step later on must find that nobody reads.
      this.#reading.delete(subscription);
    }
  }

  /** What is to be read on now for a subscription, if anything is. */
  #due(subscription: string): { parked: ParkedRecord; revision: SubscriptionRevision } | undefined {
    const parked = this.#parked.get(subscription);
    const revision = this.parts.book.current(subscription);
    if (this.host.stopping.aborted || parked === undefined || revision === undefined) return undefined;
    if (!READING.includes(parked.reason)) return undefined;
    const pages = parked.reason !== PARKED_SNAPSHOT && revision.spec.delivery !== 'latest';
    return pages && this.host.queueOf(subscription).size > READ_ON_AT ? undefined : { parked, revision };
  }

  async #take(parked: ParkedRecord, revision: SubscriptionRevision): Promise<void> {
    const { subscription } = parked;
    try {
      if (parked.reason === PARKED_SNAPSHOT) await this.#takeSnapshot(parked, revision);
      else if (revision.spec.delivery === 'latest') await this.#takeNewest(parked);
      else await this.#takePage(parked);
    } catch (error) {
      this.parts.logger.warn({ err: error, subscription }, 'cannot read on for a parked subscription, trying again');
      // Aborted while waiting is what ends the wait.
      await pause(RETRY_MS, this.host.stopping);
    }
  }

  async #takePage(parked: ParkedRecord): Promise<void> {
    const { subscription } = parked;
    if (await this.#skippedHistory(parked)) return;
    const types = this.parts.book.typesOf(subscription);
    const page = await this.parts.log.read({ after: parked.position, limit: PAGE, types });
    if (this.#overtaken(parked)) return;
    // The reading may be ahead of the cursor; those events will still be offered, and must not be taken twice.
    const upTo = Math.min(page.next, this.host.cursor);
    for (const event of page.events) {
      if (event.position <= upTo && this.parts.book.wants(subscription, event)) {
        this.host.balance.forward(subscription, event.position);
        if (!this.host.takeUp(subscription, event, event)) this.host.balance.end();
      }
    }
    // One turn, one batch: the rows, and the position they are instead of.
    if (upTo >= this.host.cursor) this.#release(subscription);
    else this.park(subscription, upTo, PARKED_BACKLOG);
    this.host.wake(this.host.queueOf(subscription));
  }

  /** A beginning at a time in the past is found by a few looks, instead of reading all that is before it. */
  async #skippedHistory(parked: ParkedRecord): Promise<boolean> {
    const history = this.parts.book.birthOf(parked.subscription)?.history;
    if (parked.position > 0 || history === undefined) return false;
    const start = await this.parts.log.startOf(history);
    if (start === 0 || this.#overtaken(parked)) return false;
    this.park(parked.subscription, Math.min(start, this.host.cursor), parked.reason);
    return true;
  }

  /** Brings forward the newest of each subject; the others gave way to it. */
  async #takeNewest(parked: ParkedRecord): Promise<void> {
    const { subscription } = parked;
    const wants = (event: RecordedEvent): boolean => this.parts.book.wants(subscription, event);
    // What was met since is in memory; before that, after a change of owner, the log is read once more.
    const live = this.#newestOf(subscription, this.host.cursor);
    const newest = await this.#scan(parked, live.from, wants);
    if (newest === undefined) return;
    newest.merge(live);
    const { balance } = this.host;
    balance.forwardAll(subscription, newest.events);
    for (const one of newest.inOrder()) {
      if (!this.host.takeUp(subscription, { position: one.newest, subject: one.subject })) balance.end();
      if (one.events > 1) this.#supersede(subscription, one);
    }
    this.#release(subscription);
    this.host.wake(this.host.queueOf(subscription));
  }

  /** The newest of each subject up to the declaration; then on from there as any other. */
  async #takeSnapshot(parked: ParkedRecord, revision: SubscriptionRevision): Promise<void> {
    const { subscription } = parked;
    const created = this.parts.book.birthOf(subscription)?.fromPosition ?? revision.fromPosition;
    const newest = await this.#scan(parked, created, (event) => clauseMatches(revision.spec, event, askFilter));
    if (newest === undefined) return;
    for (const one of newest.inOrder()) {
      const taken = this.host.takeUp(subscription, { position: one.newest, subject: one.subject });
      if (taken) this.host.balance.accept();
    }
    this.park(subscription, created, PARKED_BACKLOG);
    this.host.wake(this.host.queueOf(subscription));
  }

  /** Undefined if the subscription was changed meanwhile. */
  async #scan(
    parked: ParkedRecord,
    upTo: number,
    wants: (event: RecordedEvent) => boolean,
  ): Promise<Newest | undefined> {
    const found = new Newest(parked.position);
    const types = this.parts.book.typesOf(parked.subscription);
    for (let after = parked.position; after < upTo;) {
      const page = await this.parts.log.read({ after, limit: SCAN_PAGE, types });
      if (this.#overtaken(parked)) return undefined;
      for (const event of page.events) if (event.position <= upTo && wants(event)) found.note(event);
      after = page.next;
    }
    return this.#overtaken(parked) ? undefined : found;
  }

  #supersede(subscription: string, one: { subject: string; first: number; newest: number; events: number }): void {
    const { subject, first, newest: by, events } = one;
    const at = this.parts.clock.now();
    this.host.balance.end(events - 1);
    this.parts.statistics.superseded(events - 1);
    this.host.ledger.note((batch) => batch.superseded({ subscription, subject, first, by, events: events - 1, at }));
  }

  #release(subscription: string): void {
    this.#parked.delete(subscription);
    this.#newest.delete(subscription);
    this.host.balance.release(subscription);
    this.host.ledger.note((batch) => batch.parked(subscription, null));
  }

  #newestOf(subscription: string, from: number): Newest {
    let newest = this.#newest.get(subscription);
    if (newest === undefined) {
      newest = new Newest(from);
      this.#newest.set(subscription, newest);
    }
    return newest;
  }

  #overtaken(parked: ParkedRecord): boolean {
    return this.host.stopping.aborted || this.#parked.get(parked.subscription) !== parked;
  }
}
