import type { DeliveryStatistics } from '../send/delivery-statistics.js';

/** Of one shard. */
export interface ShardFigures {
  /** Deliveries in memory. */
  waiting: number;
  /** Subscriptions held at a position, and the matches behind those that were met here. */
  parked: number;
  held: number;
  /** Deliveries that have neither ended nor are anywhere: 0, unless this process has lost some. */
  missing: number;
}

/**
 * Keeps the books of one shard while this process owns it: whatever was accepted has ended, waits, or is held in the log behind a parked
 * subscription. Anything else would be a delivery that has got lost in this process.
 */
export class Balance {
  #accepted = 0;
  #ended = 0;
  /** Matches held for a subscription, and the position behind which they were counted. */
  readonly #held = new Map<string, { from: number; events: number }>();

  constructor(private readonly statistics: Pick<DeliveryStatistics, 'accepted'>) {}

  /** Matches held in the log that were met while this process owns the shard. */
  get held(): number {
    return [...this.#held.values()].reduce((sum, { events }) => sum + events, 0);
  }

  /** Deliveries that came and neither ended nor wait: 0, or something is wrong. @param waiting deliveries in memory */
  missing(waiting: number): number {
    return this.#accepted - this.#ended - waiting - this.held;
  }

  /** Deliveries that somebody is owed from now on: matched, taken over with the shard, replayed or revived. */
  accept(count = 1): void {
    this.#accepted += count;
    this.statistics.accepted(count);
  }

  /** Deliveries have come to an end, one way or the other. */
  end(count = 1): void {
    this.#ended += count;
  }

  /** A match is held in the log. */
  hold(subscription: string, position: number): void {
    this.accept();
    const known = this.#held.get(subscription);
    if (known === undefined) this.#held.set(subscription, { from: position - 1, events: 1 });
    else known.events += 1;
  }

  /** A match comes forward from the log: one that was held here, or from before. */
  forward(subscription: string, position: number): void {
    const known = this.#held.get(subscription);
    if (known !== undefined && position > known.from) known.events -= 1;
    else this.accept();
  }

  /** All matches of a subscription come forward at once. @param count how many the log has, those from before with them */
  forwardAll(subscription: string, count: number): void {
    this.accept(count - (this.#held.get(subscription)?.events ?? 0));
    this.#held.delete(subscription);
  }

  /** Nothing is held for it any more. What was, and did not come forward, stays in the books as missing. */
  release(subscription: string): void {
    this.#held.delete(subscription);
  }

  /** The subscription is gone, and what was held for it with it. */
  remove(subscription: string): void {
    this.end(this.#held.get(subscription)?.events ?? 0);
    this.#held.delete(subscription);
  }
}
