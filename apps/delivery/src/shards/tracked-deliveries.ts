import type { Clock, RecordedEvent } from '@tocsin/domain';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { DeliveryStatistics } from '../send/delivery-statistics.js';
import type { Dispatcher } from '../send/dispatcher.js';
import { type Delivery, type QueueOwner, SubscriptionQueue } from '../send/subscription-queue.js';
import { MOST_TRACKED } from './backlog.js';
import type { Balance } from './balance.js';
import { configure, newDelivery } from './queue-settings.js';
import { Unaccounted } from './unaccounted.js';

/** What the tracking works with. */
export interface TrackingParts {
  book: SubscriptionBook;
  dispatcher: Dispatcher;
  statistics: DeliveryStatistics;
  clock: Clock;
}

/** A delivery to be made. */
export type NewDelivery = Parameters<typeof newDelivery>[2];

/** The deliveries of one shard that are held in memory, and what the ledger must learn when one comes or goes. */
export class TrackedDeliveries {
  readonly #queues = new Map<string, SubscriptionQueue>();
  readonly #unaccounted: Unaccounted;

  constructor(
    private readonly owner: QueueOwner,
    private readonly ledger: ShardLedger,
    private readonly parts: TrackingParts,
    /** Until when nothing may be sent to a subscription, epoch milliseconds. */
    private readonly heldUntil: (subscription: string) => number,
    private readonly balance: Balance,
  ) {
    this.#unaccounted = new Unaccounted(parts.clock);
  }

  /** How many there are. */
  get size(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.size, 0);
  }

  /** Attempts that have not ended: without an answer, or not recorded. */
  get inFlight(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.inFlight + queue.recording, 0);
  }

  /** Subscriptions that have as many as may be held for one. */
  get full(): string[] {
    return [...this.#queues.values()].filter((queue) => queue.size >= MOST_TRACKED).map((queue) => queue.name);
  }

  queueOf(subscription: string): SubscriptionQueue {
    let queue = this.#queues.get(subscription);
    if (queue === undefined) {
      queue = new SubscriptionQueue(subscription, this.owner);
      configure(queue, this.parts.book.current(subscription)?.spec);
      queue.heldUntil = this.heldUntil(subscription);
      this.#queues.set(subscription, queue);
    }
    return queue;
  }

  wakeAll(): void {
    for (const queue of this.#queues.values()) this.parts.dispatcher.wake(queue);
  }

  /** A delivery that has a row already. */
  restore(subscription: string, of: Omit<NewDelivery, 'hasRow' | 'event'>): void {
    this.balance.accept();
    this.#add(this.queueOf(subscription), this.#made(subscription, { ...of, event: undefined, hasRow: true }));
  }

  /** A delivery that gets a row: the log is not read for it again. */
  addWithRow(subscription: string, of: Omit<NewDelivery, 'hasRow'>): void {
    const delivery = this.#made(subscription, { ...of, hasRow: true });
    this.ledger.note((batch) => batch.pending(subscription, delivery.position, delivery));
    this.#add(this.queueOf(subscription), delivery);
  }

  /** A delivery that the log has just brought: no row unless it takes long. */
  addFresh(queue: SubscriptionQueue, event: RecordedEvent): void {
    const { position, subject } = event;
    const delivery = this.#made(queue.name, { position, subject, event, hasRow: false });
    this.#unaccounted.add(delivery);
    this.balance.accept();
    this.#add(queue, delivery);
    this.parts.dispatcher.wake(queue);
  }

  /** It will not even be tried. */
  buryAt(subscription: string, of: Omit<NewDelivery, 'event'>, reason: string): void {
    this.bury(this.#made(subscription, { ...of, event: undefined }), reason);
  }

  accounted(delivery: Delivery): void {
    this.#unaccounted.delete(delivery);
  }

  supersede(older: Delivery, by: number): void {
    const { subscription, position, subject, hasRow } = older;
    this.accounted(older);
    this.parts.statistics.superseded(1);
    const at = this.parts.clock.now();
    this.ledger.note((batch) => {
      if (hasRow) batch.pending(subscription, position, null);
      batch.superseded({ subscription, subject, first: position, by, events: 1, at });
    });
  }

  bury(delivery: Delivery, reason: string): void {
    this.accounted(delivery);
    const { subscription, position, subject, attempts, hasRow } = delivery;
    this.ledger.note((batch) => {
      if (hasRow) batch.pending(subscription, position, null);
      batch.dead({ subscription, position, subject, attempts, reason, at: this.parts.clock.now() });
    });
  }

  /** The subscription is gone: what waits is given up, what is in flight ends as it may. */
  removed(subscription: string): void {
    const queue = this.#queues.get(subscription);
    if (queue === undefined) return;
    this.#queues.delete(subscription);
    queue.removed = true;
    for (const delivery of queue.waiting()) {
      queue.finish(delivery);
      this.balance.end();
      this.parts.statistics.gaveUp('subscription-removed');
      this.bury(delivery, 'subscription-removed');
    }
  }

  /**
   * The position up to which nothing needs the log any more, once the ledger's present batch is written. What has been under way
   * for too long gets its row into that batch.
   */
  checkpoint(cursor: number): number {
    return this.#unaccounted.checkpoint(cursor, (delivery) => {
      delivery.hasRow = true;
      this.ledger.note((batch) => batch.pending(delivery.subscription, delivery.position, delivery));
    });
  }

  #made(subscription: string, of: NewDelivery): Delivery {
    return newDelivery(this.parts.book.current(subscription)?.spec, subscription, of, this.parts.clock.now());
  }

  #add(queue: SubscriptionQueue, delivery: Delivery): void {
    for (const older of queue.add(delivery)) {
      const by = older === delivery ? queue.newestOf(delivery.lane) : delivery.position;
      this.supersede(older, by ?? delivery.position);
      this.balance.end();
    }
  }
}
