import type { Clock, RecordedEvent } from '@tocsin/domain';
import { isTocsinError } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { deliveryKey, type ParkedRecord, type ShardLedger, type ShardState } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { Dispatcher } from '../send/dispatcher.js';
import { type Delivery, laneOf, SubscriptionQueue } from '../send/subscription-queue.js';

/** Deliveries held in memory for one subscription; what comes beyond is parked at a position and read again later. */
export const MOST_TRACKED = 1_000;
/** A parked subscription reads on when it has come down to this. */
const READ_ON_AT = MOST_TRACKED / 2;
const CATCH_UP_PAGE = 200;
const CATCH_UP_RETRY_MS = 500;
const DRAIN_POLL_MS = 20;
/** What is still unfinished after this time gets a row of its own, so that the checkpoint can pass it. Milliseconds. */
const STRAGGLER_MS = 1_000;
/** … or when the checkpoint would fall behind by so many events: that is what a new owner would have to match again. */
const STRAGGLER_EVENTS = 5_000;

/** Why a subscription is parked: `backlog` ends by itself, anything else waits for somebody to change the subscription. */
export const PARKED_BACKLOG = 'backlog';

/** What the runner works with. */
export interface ShardRunnerParts {
  book: SubscriptionBook;
  dispatcher: Dispatcher;
  log: LogSource;
  clock: Clock;
  logger: Logger;
}

/**
 * One shard while this process owns it: takes the log in order, finds whom of its subscriptions each event goes to, and keeps track
 * of every such delivery until it is settled or has a row. Log + checkpoint + sparse exceptions: whatever is at or before the
 * checkpoint is settled or has a row in `pending`; what lies behind it is found again by reading the log.
 */
export class ShardRunner {
  readonly #queues = new Map<string, SubscriptionQueue>();
  readonly #parked = new Map<string, ParkedRecord>();
  readonly #catchingUp = new Set<string>();
  /** Tracked and without a row, in order of position. */
  readonly #rowless = new Map<string, Delivery>();
  readonly #stop = new AbortController();
  #settled: Set<string> = new Set();
  #cursor = 0;
  #leaseUntil = 0;

  constructor(
    readonly shard: number,
    readonly ledger: ShardLedger,
    private readonly parts: ShardRunnerParts,
  ) {}

  /** Position of the last event taken in. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Deliveries not yet settled, parked ones not counted. */
  get tracked(): number {
    let tracked = 0;
    for (const queue of this.#queues.values()) tracked += queue.size;
    return tracked;
  }

  /** The smallest position that may still be matched here. */
  get oldestNeeded(): number {
    return Math.min(this.#cursor, ...[...this.#parked.values()].map((parked) => parked.position));
  }

  /** May an attempt start? Only while nobody else can own the shard. */
  mayStart(): boolean {
    return !this.#stop.signal.aborted && this.parts.clock.monotonicMs() < this.#leaseUntil;
  }

  /** The lease holds until then, monotonic milliseconds. */
  leaseRenewed(untilMonotonicMs: number): void {
    const resting = !this.mayStart();
    this.#leaseUntil = untilMonotonicMs;
    if (resting) for (const queue of this.#queues.values()) this.parts.dispatcher.wake(queue);
  }

  /** Subscriptions parked at a position. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Takes up where the last owner left. */
  start(state: ShardState): void {
    this.#cursor = state.checkpoint;
    this.#settled = state.settled;
    for (const parked of state.parked) this.#parked.set(parked.subscription, parked);
    for (const row of state.pending) {
      const revision = this.parts.book.current(row.subscription);
      const delivery: Delivery = {
        ...row,
        lane: laneOf(revision?.spec.order !== 'none', row.subject, row.position),
        event: undefined,
        hasRow: true,
      };
      if (revision === undefined) this.#bury(delivery, 'subscription-removed');
      else this.#queueOf(row.subscription).add(delivery);
    }
    for (const queue of this.#queues.values()) this.parts.dispatcher.wake(queue);
    for (const name of this.#parked.keys()) this.#readOn(name);
  }

  /** Takes in the next event of the log. */
  offer(event: RecordedEvent): void {
    if (event.position <= this.#cursor) return;
    if (event.position !== this.#cursor + 1) {
      throw new Error(`shard ${this.shard} was offered position ${event.position} after ${this.#cursor}`);
    }
    for (const revision of this.parts.book.matching(event, this.shard)) {
      if (this.#parked.has(revision.name)) continue;
      if (this.#settled.size > 0 && this.#settled.delete(deliveryKey(revision.name, event.position))) continue;
      if (!this.parts.book.lives(revision)) {
        this.#bury(this.#deliveryOf(event, revision.name, true, false), 'subscription-removed');
        continue;
      }
      const queue = this.#queueOf(revision.name);
      if (queue.size >= MOST_TRACKED) {
        this.park(revision.name, event.position - 1, PARKED_BACKLOG);
        continue;
      }
      const delivery = this.#deliveryOf(event, revision.name, revision.spec.order !== 'none', false);
      this.#rowless.set(deliveryKey(revision.name, event.position), delivery);
      queue.add(delivery);
      this.parts.dispatcher.wake(queue);
    }
    this.#cursor = event.position;
  }

  /** A batch of events has been taken in. */
  batchTaken(): void {
    this.ledger.checkpointMoved();
  }

  /** The delivery is settled or has a row in the batch being gathered: the checkpoint may pass it. */
  accounted(delivery: Delivery): void {
    this.#rowless.delete(deliveryKey(delivery.subscription, delivery.position));
  }

  /** A delivery has left its queue: room for what is parked. */
  settled(queue: SubscriptionQueue): void {
    if (this.#parked.has(queue.name) && queue.size <= READ_ON_AT) this.#readOn(queue.name);
  }

  /** Everything behind `position` waits for the subscription to be resumed, at the cost of one row. */
  park(subscription: string, position: number, reason: string): void {
    const record = { subscription, position, reason, since: this.parts.clock.now() };
    this.#parked.set(subscription, record);
    void this.ledger.parked(subscription, record).catch(onlyFenced);
  }

  /** Sends nothing more to a subscription, and keeps what it is owed. */
  disable(subscription: string, reason: string): void {
    this.#queueOf(subscription).heldUntil = Number.POSITIVE_INFINITY;
    this.park(subscription, this.#parked.get(subscription)?.position ?? this.#cursor, reason);
  }

  /** The subscription has changed: what was held because of its old settings gets a new chance. */
  declared(subscription: string): void {
    const queue = this.#queueOf(subscription);
    queue.heldUntil = 0;
    const parked = this.#parked.get(subscription);
    if (parked !== undefined && parked.reason !== PARKED_BACKLOG)
      this.park(subscription, parked.position, PARKED_BACKLOG);
    this.#readOn(subscription);
    this.parts.dispatcher.wake(queue);
  }

  /** The subscription is gone: what it was still owed is given up, with that reason. */
  removed(subscription: string): void {
    const queue = this.#queues.get(subscription);
    this.#queues.delete(subscription);
    for (const delivery of [...(queue?.all() ?? [])]) {
      queue?.finish(delivery);
      this.#bury(delivery, 'subscription-removed');
    }
    if (this.#parked.delete(subscription)) void this.ledger.parked(subscription, null).catch(onlyFenced);
  }

  /**
   * The position up to which nothing needs the log any more, once the ledger's present batch is written. What has been under way
   * for too long gets its row into that batch.
   */
  checkpointNow(): number {
    const nowMs = this.parts.clock.now();
    for (const delivery of this.#rowless.values()) {
      if (nowMs - delivery.since < STRAGGLER_MS && this.#cursor - delivery.position < STRAGGLER_EVENTS) {
        return delivery.position - 1;
      }
      delivery.hasRow = true;
      this.accounted(delivery);
      void this.ledger.pending(delivery.subscription, delivery.position, delivery).catch(onlyFenced);
    }
    return this.#cursor;
  }

  /** Starts no attempt any more and reads nothing more; what is in flight ends by itself. */
  stop(): void {
    this.#stop.abort();
  }

  /** Stops, waits for what is in flight, and writes it down. */
  async close(timeoutMs: number): Promise<void> {
    this.stop();
    const end = this.parts.clock.monotonicMs() + timeoutMs;
    while (this.#inFlight() > 0 && this.parts.clock.monotonicMs() < end) await setTimeoutAsync(DRAIN_POLL_MS);
    await this.ledger.close(Math.max(end - this.parts.clock.monotonicMs(), 0));
  }

  #inFlight(): number {
    let inFlight = 0;
    for (const queue of this.#queues.values()) inFlight += queue.inFlight;
    return inFlight;
  }

  #queueOf(subscription: string): SubscriptionQueue {
    let queue = this.#queues.get(subscription);
    if (queue === undefined) {
      queue = new SubscriptionQueue(subscription, this);
      const parked = this.#parked.get(subscription);
      if (parked !== undefined && parked.reason !== PARKED_BACKLOG) queue.heldUntil = Number.POSITIVE_INFINITY;
      this.#queues.set(subscription, queue);
    }
    return queue;
  }

  #deliveryOf(event: RecordedEvent, subscription: string, ordered: boolean, hasRow: boolean): Delivery {
    const nowMs = this.parts.clock.now();
    return {
      subscription,
      position: event.position,
      subject: event.subject,
      lane: laneOf(ordered, event.subject, event.position),
      attempts: 0,
      nextAt: nowMs,
      since: nowMs,
      event,
      hasRow,
    };
  }

  #bury(delivery: Delivery, reason: string): void {
    this.accounted(delivery);
    if (delivery.hasRow) void this.ledger.pending(delivery.subscription, delivery.position, null).catch(onlyFenced);
    const { subscription, position, attempts } = delivery;
    void this.ledger.dead({ subscription, position, attempts, reason, at: this.parts.clock.now() }).catch(onlyFenced);
  }

  #readOn(subscription: string): void {
    if (this.#catchingUp.has(subscription) || this.#parked.get(subscription)?.reason !== PARKED_BACKLOG) return;
    this.#catchingUp.add(subscription);
    void this.#catchUp(subscription).finally(() => this.#catchingUp.delete(subscription));
  }

  /** Brings a parked subscription forward from the log, page by page, until it is full again or has caught up with the cursor. */
  async #catchUp(subscription: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const parked = this.#parked.get(subscription);
      const revision = this.parts.book.current(subscription);
      if (parked?.reason !== PARKED_BACKLOG || revision === undefined) return;
      const queue = this.#queueOf(subscription);
      if (queue.size > READ_ON_AT) return;
      try {
        const types = this.parts.book.typesOf(subscription);
        const page = await this.parts.log.read({ after: parked.position, limit: CATCH_UP_PAGE, types });
        if (this.#parked.get(subscription) !== parked || this.#stop.signal.aborted) continue;
        // The reading may be ahead of the cursor; those events will still be offered, and must not be taken twice.
        const upTo = Math.min(page.next, this.#cursor);
        for (const event of page.events) {
          if (event.position > upTo || !this.parts.book.wants(subscription, event)) continue;
          if (this.#settled.delete(deliveryKey(subscription, event.position))) continue;
          const delivery = this.#deliveryOf(event, subscription, revision.spec.order !== 'none', true);
          void this.ledger.pending(subscription, event.position, delivery).catch(onlyFenced);
          queue.add(delivery);
        }
        // One turn, one batch: the rows, and the position they are instead of.
        if (upTo >= this.#cursor) {
          this.#parked.delete(subscription);
          void this.ledger.parked(subscription, null).catch(onlyFenced);
        } else {
          this.park(subscription, upTo, PARKED_BACKLOG);
        }
        this.parts.dispatcher.wake(queue);
      } catch (error) {
        this.parts.logger.warn({ err: error, subscription }, 'cannot read on for a parked subscription, trying again');
        await setTimeoutAsync(CATCH_UP_RETRY_MS);
      }
    }
  }
}

/** A shard that was lost is worked on by its new owner; nothing is left to do here. */
function onlyFenced(error: unknown): void {
  if (!isTocsinError(error, 'TCN_FENCED')) throw error;
}
