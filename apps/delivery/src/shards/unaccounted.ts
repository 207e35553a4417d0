import type { Clock } from '@tocsin/domain';
import { deliveryKey } from '../ledger/records.js';
import type { Delivery } from '../send/subscription-queue.js';

/** What is still unfinished after this time gets a row of its own, so that the checkpoint can pass it. Milliseconds. */
const STRAGGLER_MS = 1_000;
/** … or when the checkpoint would fall behind by so many events: that is what a new owner would have to match again. */
const STRAGGLER_EVENTS = 5_000;

/** Deliveries that are neither settled nor have a row, in order of position: the checkpoint stands before the first of them. */
export class Unaccounted {
  readonly #deliveries = new Map<string, Delivery>();

  constructor(private readonly clock: Clock) {}

  add(delivery: Delivery): void {
    this.#deliveries.set(deliveryKey(delivery.subscription, delivery.position), delivery);
  }

  delete(delivery: Delivery): void {
    this.#deliveries.delete(deliveryKey(delivery.subscription, delivery.position));
  }

  /**
   * The position up to which everything is settled or has a row.
   * @param cursor position of the last event taken in
   * @param keep gives a row to one that has been under way for too long
   */
  checkpoint(cursor: number, keep: (delivery: Delivery) => void): number {
    const nowMs = this.clock.now();
    for (const [key, delivery] of this.#deliveries) {
      if (nowMs - delivery.since < STRAGGLER_MS && cursor - delivery.position < STRAGGLER_EVENTS) {
        return delivery.position - 1;
      }
      this.#deliveries.delete(key);
      keep(delivery);
    }
    return cursor;
  }
}
