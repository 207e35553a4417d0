import { deliveryKey } from '../ledger/records.js';
import type { Delivery } from '../send/subscription-queue.js';

/** Remembers what was delivered while rows are being read: such a row was read before the success that took it away. */
export class JustDelivered {
  #keys: Set<string> | undefined;

  /** Rows are being read from here on. */
  begin(): void {
    this.#keys = new Set();
  }

  note(delivery: Delivery): void {
    this.#keys?.add(deliveryKey(delivery.subscription, delivery.position));
  }

  /** The rows have come: those that are still owed. */
  end<Row extends { subscription: string; position: number }>(rows: readonly Row[]): Row[] {
    const keys = this.#keys;
    this.#keys = undefined;
    return rows.filter((row) => keys?.has(deliveryKey(row.subscription, row.position)) !== true);
  }
}
