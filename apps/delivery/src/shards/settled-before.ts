import type { RecordedEvent } from '@tocsin/domain';
import { deliveryKey, type ShardState, type SupersededRecord } from '../ledger/records.js';

/** What the rows of the last owner say of deliveries behind the checkpoint, which the log now brings again. */
export class SettledBefore {
  readonly #settled: Set<string>;
  readonly #superseded = new Map<string, SupersededRecord[]>();

  constructor(state: Pick<ShardState, 'settled' | 'superseded'> = { settled: new Set(), superseded: [] }) {
    this.#settled = state.settled;
    for (const record of state.superseded) {
      const key = subjectKey(record.subscription, record.subject);
      this.#superseded.set(key, [...(this.#superseded.get(key) ?? []), record]);
    }
  }

  /** Is this delivery settled, or does it have a row? */
  has(subscription: string, { position, subject }: Pick<RecordedEvent, 'position' | 'subject'>): boolean {
    // Nearly always both are empty.
    if (this.#settled.size > 0 && this.#settled.delete(deliveryKey(subscription, position))) return true;
    if (this.#superseded.size === 0) return false;
    const ranges = this.#superseded.get(subjectKey(subscription, subject)) ?? [];
    return ranges.some(({ first, by }) => first <= position && position < by);
  }
}

function subjectKey(subscription: string, subject: string): string {
  return `${subscription}|${subject}`;
}
