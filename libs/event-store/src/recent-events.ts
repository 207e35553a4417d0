import type { RecordedEvent } from '@tocsin/domain';

/** An event with what it takes in memory, roughly. */
export interface SizedEvent {
  event: RecordedEvent;
  bytes: number;
}

/** How much is held at most; the oldest goes first. */
export interface RecentEventsLimits {
  maxEvents: number;
  maxBytes: number;
}

/** Some hundred milliseconds of the most a recorder takes in: who is further behind reads pages from Postgres anyway. */
const DEFAULT_LIMITS: RecentEventsLimits = { maxEvents: 4_096, maxBytes: 8 * 1024 * 1024 };

/**
 * The newest events of the log, as this process has just committed them: whoever follows closely need not ask Postgres for what has come
 * from here. Holds a gapless run of positions, nothing else.
 */
export class RecentEvents {
  readonly #limits: RecentEventsLimits;
  /** By position, ascending. */
  readonly #held = new Map<number, SizedEvent>();
  #last = 0;
  #bytes = 0;

  constructor(limits: Partial<RecentEventsLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Takes what was committed, in order. A gap before it (an append whose outcome was lost) makes everything older useless. */
  add(events: readonly SizedEvent[]): void {
    for (const sized of events) {
      const { position } = sized.event;
      if (position !== this.#last + 1) this.clear();
      this.#held.set(position, sized);
      this.#last = position;
      this.#bytes += sized.bytes;
    }
    for (const position of this.#held.keys()) {
      if (this.#held.size <= this.#limits.maxEvents && this.#bytes <= this.#limits.maxBytes) break;
      this.#drop(position);
    }
  }

  /** Events that follow `position`, at most `limit`; undefined where the next one is not held, whether or not there is one. */
  after(position: number, limit: number): RecordedEvent[] | undefined {
    const events: RecordedEvent[] = [];
    while (events.length < limit) {
      const next = this.#held.get(position + 1 + events.length);
      if (next === undefined) break;
      events.push(next.event);
    }
    return events.length === 0 ? undefined : events;
  }

  /** Nobody will ask for `position` and what is before it any more. */
  release(position: number): void {
    for (const oldest of this.#held.keys()) {
      if (oldest > position) return;
      this.#drop(oldest);
    }
  }

  /** Holds nothing any more. */
  clear(): void {
    this.#held.clear();
    this.#bytes = 0;
  }

  #drop(position: number): void {
    this.#bytes -= this.#held.get(position)?.bytes ?? 0;
    this.#held.delete(position);
  }
}
