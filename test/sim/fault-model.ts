import type { Random } from '@tocsin/domain';

/** What goes wrong in the simulated world. Rates are Poisson, times in seconds. */
export interface FaultModel {
  targets: number;
  days: number;
  /** Share of probes that are lost on their way, each by itself. */
  probeLoss: number;
  /** The way between one observer and one target is dead. */
  brownOut: { perDay: number; lastsS: number };
  /** An observer reaches nothing at all. */
  observerOffline: { perDay: number; lastsS: number };
  /** The target is really down. */
  outage: { perDay: number; lastsS: number };
}

/** The published model. */
export const DEFAULT_FAULTS: FaultModel = {
  targets: 400,
  days: 20,
  probeLoss: 0.005,
  brownOut: { perDay: 1, lastsS: 40 },
  observerOffline: { perDay: 2, lastsS: 60 },
  outage: { perDay: 1, lastsS: 180 },
};

const DAY_MS = 86_400_000;

/** Spans of time in order, asked for moments that never go back far. Times in milliseconds. */
export class Windows {
  readonly #starts: number[] = [];
  readonly #lastsMs: number;
  #at = 0;

  constructor(rate: { perDay: number; lastsS: number }, days: number, random: Random) {
    this.#lastsMs = rate.lastsS * 1_000;
    if (rate.perDay <= 0) return;
    const meanGapMs = DAY_MS / rate.perDay;
    for (let atMs = 0; ;) {
      atMs += -Math.log(1 - random()) * meanGapMs;
      if (atMs >= days * DAY_MS) break;
      this.#starts.push(atMs);
      atMs += this.#lastsMs;
    }
  }

  get all(): readonly { startMs: number; endMs: number }[] {
    return this.#starts.map((startMs) => ({ startMs, endMs: startMs + this.#lastsMs }));
  }

  /** The window that covers the moment, if any. */
  at(ms: number): { startMs: number; endMs: number } | undefined {
    while (this.#at > 0 && (this.#starts[this.#at] ?? Infinity) > ms) this.#at -= 1;
    while ((this.#starts[this.#at + 1] ?? Infinity) <= ms) this.#at += 1;
    const startMs = this.#starts[this.#at];
    if (startMs === undefined || startMs > ms || ms >= startMs + this.#lastsMs) return undefined;
    return { startMs, endMs: startMs + this.#lastsMs };
  }
}
