import { type BreakerState, newBreaker, type RecordedEvent } from '@tocsin/domain';
import TinyQueue from 'tinyqueue';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import { InFlightWindow } from './in-flight-window.js';
import type { Learnt } from '../retry/endpoint-watch.js';
import type { TokenBucket } from './token-bucket.js';

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
  /** Position of the request that replays it; null for the first telling. */
  readonly replay: number | null;
  /** The event, while it is held in memory; read again from the log when it is not. */
  event: RecordedEvent | undefined;
  /** Has a row in `delivery.pending`. */
  hasRow: boolean;
}

/** What a queue tells the shard it belongs to. */
export interface QueueOwner {
  readonly ledger: ShardLedger;
  /** Aborted when an attempt under way must end at once: another process may own the shard, or this one ends. */
  readonly signal: AbortSignal;
  /** May an attempt start? Not when another process may own the shard by now. */
  mayStart(): boolean;
  /** The delivery is settled or has a row in the batch being gathered. */
  accounted(delivery: Delivery): void;
  /** A delivery has left the queue, by a success or otherwise. */
  settled(queue: SubscriptionQueue, delivery: Delivery, success: boolean): void;
  /** How an attempt ended. */
  learnt(queue: SubscriptionQueue, learnt: Learnt): void;
  /** An older delivery gives way to a newer one of its subject. */
  supersede(older: Delivery, by: number): void;
  /** The delivery is given up for a reason, within the batch being gathered. */
  bury(delivery: Delivery, reason: string): void;
}

/** The lane a delivery belongs to. A replay goes beside the present, not before it. */
export function laneOf(ordered: boolean, at: { subject: string; position: number; replay?: number | null }): string {
  const apart = at.replay === undefined || at.replay === null ? '' : `replay ${at.replay} `;
  return ordered ? `${apart}subject ${at.subject}` : `position ${at.position}`;
}

/**
 * What one subscription still has to be sent, in lanes. Only the head of a lane may be in flight, and a failing head holds its own
 * lane and no other.
 */
export class SubscriptionQueue {
  readonly #lanes = new Map<string, Delivery[]>();
  readonly #byPosition = new Map<number, Delivery>();
  /** Handed out: in flight, or answered and being recorded. Until that is done nothing else of the lane goes out. */
  readonly #taken = new Set<Delivery>();
  readonly #answered = new Set<Delivery>();
  /** Heads of lanes by when they are due; an entry that is no longer true is passed over. */
  readonly #heads = new TinyQueue<{ at: number; delivery: Delivery }>(
    [],
    (a, b) => a.at - b.at || a.delivery.position - b.delivery.position,
  );
  /** No attempt before this time, epoch milliseconds: Retry-After, a pause and a missing registry hold all lanes. */
  heldUntil = 0;
  /** What is known of the endpoint. */
  breaker: BreakerState = newBreaker();
  readonly window = new InFlightWindow();
  rate: TokenBucket | undefined;
  /** The subscription is gone: what is in flight may end, nothing is tried again. */
  removed = false;
  /** The receiver's origin: slots are counted for it over all subscriptions. */
  endpoint = '';

  constructor(
    readonly name: string,
    /** The shard it belongs to while this process owns that. */
    readonly shard: QueueOwner,
    /** A newer event of a subject takes the place of an older one that waits. */
    public latestOnly = false,
  ) {}

  /** Deliveries tracked: in flight, being recorded or waiting. */
  get size(): number {
    return this.#byPosition.size;
  }

  /** Attempts under way that have no answer yet. */
  get inFlight(): number {
    return this.#taken.size - this.#answered.size;
  }

  /** Attempts whose answer is yet to be recorded. */
  get recording(): number {
    return this.#answered.size;
  }

  /** Is nothing going out now, because the endpoint rests or is held? */
  resting(nowMs: number): boolean {
    return this.breaker.phase === 'open' || this.heldUntil > nowMs;
  }

  /** The delivery of the event at that position, if it is tracked. */
  at(position: number): Delivery | undefined {
    return this.#byPosition.get(position);
  }

  /**
   * Adds a delivery behind those of its lane with smaller positions.
   * @returns deliveries that are out of the queue because of it: older ones of its subject where only the latest counts, or itself
   */
  add(delivery: Delivery): Delivery[] {
    const lane = this.#lanes.get(delivery.lane);
    if (lane === undefined) {
      this.#byPosition.set(delivery.position, delivery);
      this.#lanes.set(delivery.lane, [delivery]);
      this.#headChanged(delivery);
      return [];
    }
    const latestOnly = this.latestOnly && delivery.replay === null;
    const newest = lane.at(-1);
    if (latestOnly && newest !== undefined && newest.position > delivery.position) return [delivery];
    this.#byPosition.set(delivery.position, delivery);
    const given = latestOnly ? lane.filter((older) => !this.#taken.has(older)) : [];
    for (const older of given) this.#remove(older, lane);
    let index = lane.length;
    while (index > 0 && (lane[index - 1]?.position ?? 0) > delivery.position) index -= 1;
    // A head that is taken stays the head, even if an older delivery comes back by hand: two of a lane never overlap.
    const head = lane[0];
    if (index === 0 && head !== undefined && this.#taken.has(head)) index = 1;
    lane.splice(index, 0, delivery);
    if (index === 0) this.#headChanged(delivery);
    return given;
  }

  /** The attempt has its answer: another may go out, of another lane; this one's waits until the answer is recorded. */
  answered(delivery: Delivery): void {
    if (this.#taken.has(delivery)) this.#answered.add(delivery);
  }

  /** Takes the next delivery that may go out now, and counts it as in flight. */
  take(nowMs: number): Delivery | undefined {
    if (nowMs < this.heldUntil) return undefined;
    const next = this.#nextHead();
    if (next === undefined || next.nextAt > nowMs) return undefined;
    this.#heads.pop();
    this.#taken.add(next);
    return next;
  }

  /** When the next delivery becomes due, epoch milliseconds; undefined if all are in flight or none is there. */
  nextDueAt(): number | undefined {
    const next = this.#nextHead();
    return next === undefined ? undefined : Math.max(next.nextAt, this.heldUntil);
  }

  /** The delivery has ended, one way or the other, and leaves its lane. */
  finish(delivery: Delivery): void {
    this.#letGo(delivery);
    const lane = this.#lanes.get(delivery.lane);
    if (lane === undefined || !lane.includes(delivery)) return;
    this.#remove(delivery, lane);
    const head = lane[0];
    if (head === undefined) this.#lanes.delete(delivery.lane);
    else this.#headChanged(head);
  }

  /** The attempt failed or could not be made: the delivery stays the head of its lane, due at `nextAt`. */
  putBack(delivery: Delivery, nextAt: number): void {
    this.#letGo(delivery);
    delivery.nextAt = nextAt;
    const head = this.#lanes.get(delivery.lane)?.[0];
    if (head !== undefined) this.#headChanged(head);
  }

  /** Somebody wants it now. One in flight goes its way. */
  hurry(delivery: Delivery, nowMs: number): void {
    if (this.#taken.has(delivery) || delivery.nextAt <= nowMs) return;
    delivery.nextAt = nowMs;
    if (this.#lanes.get(delivery.lane)?.[0] === delivery) this.#headChanged(delivery);
  }

  /** The newer delivery that makes this one needless, where only the latest counts. */
  newerThan(delivery: Delivery): Delivery | undefined {
    if (!this.latestOnly || delivery.replay !== null) return undefined;
    const newest = this.#lanes.get(delivery.lane)?.at(-1);
    return newest !== undefined && newest.position > delivery.position ? newest : undefined;
  }

  /** Position of the newest delivery of a lane. */
  newestOf(lane: string): number | undefined {
    return this.#lanes.get(lane)?.at(-1)?.position;
  }

  /** All that waits and is not in flight. */
  waiting(): Delivery[] {
    return [...this.#byPosition.values()].filter((delivery) => !this.#taken.has(delivery));
  }

  #letGo(delivery: Delivery): void {
    this.#taken.delete(delivery);
    this.#answered.delete(delivery);
  }

  #remove(delivery: Delivery, lane: Delivery[]): void {
    lane.splice(lane.indexOf(delivery), 1);
    this.#byPosition.delete(delivery.position);
  }

  #headChanged(head: Delivery): void {
    if (!this.#taken.has(head)) this.#heads.push({ at: head.nextAt, delivery: head });
  }

  #nextHead(): Delivery | undefined {
    for (let top = this.#heads.peek(); top !== undefined; top = this.#heads.peek()) {
      const { at, delivery } = top;
      const isHead = this.#lanes.get(delivery.lane)?.[0] === delivery;
      if (isHead && at === delivery.nextAt && !this.#taken.has(delivery)) return delivery;
      this.#heads.pop();
    }
    return undefined;
  }
}
