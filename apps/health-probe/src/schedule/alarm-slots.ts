import type { Clock } from '@tocsin/domain';

/**
 * Alarms that wait a second or more go off together with those due within the same tenth of a second: waking up for one check costs
 * several times what the check costs. It is far below the jitter of any cadence so slow.
 */
const COARSE_MS = 100;
const COARSE_FROM_MS = 1_000;
/** Shorter waits, as of a suspicion, keep to hundredths. */
const FINE_MS = 10;

/** An alarm that is set. */
export interface Alarm {
  /** Monotonic time at which it is meant to go off, milliseconds. */
  readonly dueMs: number;
  /** It does not go off any more. Idempotent. */
  cancel(): void;
}

interface Slot {
  readonly timer: NodeJS.Timeout;
  readonly ringing: Set<() => void>;
}

/** Sets alarms on slots of time, one timer a slot however many share it. */
export class AlarmSlots {
  readonly #clock: Clock;
  readonly #slots = new Map<number, Slot>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `ring` after about `delayMs`: in the slot nearest to it. */
  set(delayMs: number, ring: () => void): Alarm {
    const nowMs = this.#clock.monotonicMs();
    const slotMs = delayMs >= COARSE_FROM_MS ? COARSE_MS : FINE_MS;
    const dueMs = Math.max(nowMs, Math.round((nowMs + delayMs) / slotMs) * slotMs);
    const slot = this.#slots.get(dueMs) ?? this.#open(dueMs, nowMs);
    // Of its own, so that the same function may be set twice.
    const own = () => ring();
    slot.ringing.add(own);
    return {
      dueMs,
      cancel: () => {
        if (!slot.ringing.delete(own) || slot.ringing.size > 0) return;
        clearTimeout(slot.timer);
        if (this.#slots.get(dueMs) === slot) this.#slots.delete(dueMs);
      },
    };
  }

  #open(dueMs: number, nowMs: number): Slot {
    const timer = setTimeout(() => {
      const slot = this.#slots.get(dueMs);
      this.#slots.delete(dueMs);
      for (const ring of slot?.ringing ?? []) {
        slot?.ringing.delete(ring);
        ring();
      }
    }, dueMs - nowMs);
    const slot: Slot = { timer, ringing: new Set() };
    this.#slots.set(dueMs, slot);
    return slot;
  }
}
