import { setImmediate as nextTurn } from 'node:timers/promises';

/** Of many that have arrived, this share is begun in a turn: whatever the rate, they do not pile up. */
const SHARE_A_TURN = 0.25;

/**
 * Begins what arrives a few at a time in each turn of the event loop, so that a burst does not keep back what others are answered, by
 * Postgres say.
 */
export class Intake<T> {
  readonly #perTurn: number;
  readonly #begin: (one: T) => void;
  /** What is for a later turn. */
  readonly #arrived: T[] = [];
  /** How many were begun in this turn. */
  #begun = 0;
  #turning = false;

  /** @param perTurn how many are begun in a turn unless there are many */
  constructor(perTurn: number, begin: (one: T) => void) {
    this.#perTurn = perTurn;
    this.#begin = begin;
  }

  /** Begins this one, now or in a later turn, in order. */
  take(one: T): void {
    if (this.#arrived.length === 0 && this.#begun < this.#perTurn) {
      this.#begun += 1;
      this.#begin(one);
    } else {
      this.#arrived.push(one);
    }
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => this.#nextTurn());
  }

  /** Resolves when all that arrived has begun. */
  async empty(): Promise<void> {
    while (this.#arrived.length > 0) await nextTurn();
  }

  #nextTurn(): void {
    const due = Math.max(this.#perTurn, Math.ceil(this.#arrived.length * SHARE_A_TURN));
    const arrived = this.#arrived.splice(0, due);
    this.#begun = arrived.length;
    this.#turning = arrived.length > 0;
    if (this.#turning) setImmediate(() => this.#nextTurn());
    for (const one of arrived) this.#begin(one);
  }
}
