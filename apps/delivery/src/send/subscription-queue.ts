import { type BreakerState, newBreaker, type RecordedEvent } from '@tocsin/domain';
import type { ShardLedger } from '../ledger/shard-ledger.js';

/** One event on its way to one subscription. */
export interface Delivery {
  readonly subscription: string;
  readonly position: number;
  /** What the event is about. */
  readonly subject: string;
  /** Deliveries of one lane go out one after the other: a lane a subject where the subscription is ordered, else one each. */
  readonly lane: string;
  /** Attempts made so far. */
  attempts: number;
  /** Earliest time of the next attempt, epoch milliseconds. */
  nextAt: number;
  /** When this process took it up, epoch milliseconds. */
  readonly since: number;
  /** The event, while it is held in memory; read again from the log when it is not. */
  event: RecordedEvent | undefined;
  /** Has a row in `delivery.pending`. */
  hasRow: boolean;
}

/** What a queue tells the shard it belongs to. */
export interface QueueOwner {
  readonly ledger: ShardLedger;
  /** May an attempt start? Not when another process may own the shard by now. */
  mayStart(): boolean;
  /** The delivery is settled or has a row in the batch being gathered. */
  accounted(delivery: Delivery): void;
  /** A delivery has left the queue. */
  settled(queue: SubscriptionQueue): void;
  /** Sends nothing more to the subscription, and keeps what it is owed. */
  disable(subscription: string, reason: string): void;
}

/** The lane a delivery belongs to. */
export function laneOf(ordered: boolean, subject: string, position: number): string {
  return ordered ? `subject ${subject}` : `position ${position}`;
}

/**
 * What one subscription still has to be sent, in lanes. Only the head of a lane may be in flight, and a failing head holds its own
 * lane and no other.
 */
export class SubscriptionQueue {
  readonly #lanes = new Map<string, Delivery[]>();
  readonly #inFlight = new Set<Delivery>();
  #size = 0;
  /** No attempt before this time, epoch milliseconds: Retry-After, a resting breaker and a missing registry hold all lanes. */
  heldUntil = 0;
  /** What is known of the endpoint. */
  breaker: BreakerState = newBreaker();

  constructor(
    readonly name: string,
    /** The shard it belongs to while this process owns that. */
    readonly shard: QueueOwner,
  ) {}

  /** Deliveries tracked, in flight or waiting. */
  get size(): number {
    return this.#size;
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Adds a delivery behind those of its lane with smaller positions. */
  add(delivery: Delivery): void {
    this.#size += 1;
    const lane = this.#lanes.get(delivery.lane);
    if (lane === undefined) {
      this.#lanes.set(delivery.lane, [delivery]);
      return;
    }
    let index = lane.length;
    while (index > 0 && (lane[index - 1]?.position ?? 0) > delivery.position) index -= 1;
    // A head in flight stays the head, even if an older delivery comes back by hand: two of a lane never overlap.
    const head = lane[0];
    if (index === 0 && head !== undefined && this.#inFlight.has(head)) index = 1;
    lane.splice(index, 0, delivery);
  }

  /** Takes the next delivery that may go out now, and counts it as in flight. */
  take(nowMs: number): Delivery | undefined {
    if (nowMs < this.heldUntil) return undefined;
    for (const lane of this.#lanes.values()) {
      const head = lane[0];
      if (head === undefined || head.nextAt > nowMs || this.#inFlight.has(head)) continue;
      this.#inFlight.add(head);
      return head;
    }
    return undefined;
  }

  /** When the next delivery becomes due, epoch milliseconds; undefined if all are in flight or none is there. */
  nextDueAt(): number | undefined {
    let due: number | undefined;
    for (const lane of this.#lanes.values()) {
      const head = lane[0];
      if (head === undefined || this.#inFlight.has(head)) continue;
      if (due === undefined || head.nextAt < due) due = head.nextAt;
      if (due <= this.heldUntil) break;
    }
    return due === undefined ? undefined : Math.max(due, this.heldUntil);
  }

  /** The delivery has ended, one way or the other, and leaves its lane. */
  finish(delivery: Delivery): void {
    this.#inFlight.delete(delivery);
    const lane = this.#lanes.get(delivery.lane);
    const index = lane?.indexOf(delivery) ?? -1;
    if (lane === undefined || index < 0) return;
    lane.splice(index, 1);
    this.#size -= 1;
    if (lane.length === 0) this.#lanes.delete(delivery.lane);
  }

  /** The attempt failed or could not be made: the delivery stays the head of its lane, due at `nextAt`. */
  putBack(delivery: Delivery, nextAt: number): void {
    this.#inFlight.delete(delivery);
    delivery.nextAt = nextAt;
  }

  /** Is it still here? An attempt may come back after its subscription was removed. */
  has(delivery: Delivery): boolean {
    return this.#lanes.get(delivery.lane)?.includes(delivery) ?? false;
  }

  /** All that is tracked. */
  *all(): Iterable<Delivery> {
    for (const lane of this.#lanes.values()) yield* lane;
  }
}
