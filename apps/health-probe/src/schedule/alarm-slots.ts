import type { Clock } from '@tocsin/domain';

/**
 * Alarms that wait a second or more go off together with those due within the same tenth of a second: waking up for one check costs
 * several times what the check costs. It is far below the jitter of any cadence so slow.
 */
const COARSE_MS = 100;
const COARSE_FROM_MS = 1_000;
/** Shorter waits, as of a suspicion, keep to hundredths. */
const FINE_MS = 10;

/** What an alarm is set for, one at a time. Its alarm lives in it: ten thousand of them wait at any time, and each is set anew after each check. */
export interface Alarmed {
  /** Monotonic time at which it is meant to go off, milliseconds. */
  dueMs: number;
  /** The slot it waits in; undefined while no alarm is set. */
  slot: Slot<this> | undefined;
}

/** A moment at which alarms go off. */
export interface Slot<T> {
  readonly timer: NodeJS.Timeout;
  /** Who was set for it, those that do not wait for it any more included. */
  readonly members: T[];
  /** How many do. */
  waiting: number;
}

/** Sets alarms on slots of time, one timer a slot however many share it. */
export class AlarmSlots<T extends Alarmed> {
  readonly #clock: Clock;
  readonly #ring: (alarmed: T) => void;
  readonly #slots = new Map<number, Slot<T>>();

  /** @param ring is called when an alarm goes off; it may set the next one */
  constructor(clock: Clock, ring: (alarmed: T) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Goes off after about `delayMs`, in the slot nearest to it, instead of whenever it was meant to. */
  set(alarmed: T, delayMs: number): void {
    this.cancel(alarmed);
    const nowMs = this.#clock.monotonicMs();
    const slotMs = delayMs >= COARSE_FROM_MS ? COARSE_MS : FINE_MS;
    const dueMs = Math.max(nowMs, Math.round((nowMs + delayMs) / slotMs) * slotMs);
    const slot = this.#slots.get(dueMs) ?? this.#open(dueMs, nowMs);
    slot.members.push(alarmed);
    slot.waiting += 1;
    alarmed.slot = slot;
    alarmed.dueMs = dueMs;
  }

  /** It does not go off any more. Idempotent. */
  cancel(alarmed: T): void {
    const { slot, dueMs } = alarmed;
    if (slot === undefined) return;
    alarmed.slot = undefined;
    slot.waiting -= 1;
    if (slot.waiting > 0) return;
    clearTimeout(slot.timer);
    if (this.#slots.get(dueMs) === slot) this.#slots.delete(dueMs);
  }

  #open(dueMs: number, nowMs: number): Slot<T> {
    const timer = setTimeout(() => {
      this.#slots.delete(dueMs);
      for (const alarmed of slot.members) {
        // Cancelled, or set twice for the same moment.
        if (alarmed.slot !== slot) continue;
        alarmed.slot = undefined;
        slot.waiting -= 1;
        this.#ring(alarmed);
      }
    }, dueMs - nowMs);
    const slot: Slot<T> = { timer, members: [], waiting: 0 };
    this.#slots.set(dueMs, slot);
    return slot;
  }
}
