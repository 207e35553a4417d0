import type { SpelledEvent } from '@tocsin/domain';

/** An event with what it takes in memory, roughly. */
export interface SizedEvent {
  event: SpelledEvent;
  bytes: number;
}

/** How much is held at most; the oldest goes first. */
export interface RecentEventsLimits {
  maxEvents: number;
  maxBytes: number;
}

/** Half a second of the most a recorder takes in: who is further behind reads pages from Postgres anyway. */
const DEFAULT_LIMITS: RecentEventsLimits = { maxEvents: 16_384, maxBytes: 16 * 1024 * 1024 };

/** Room of events that are gone is given back when it is more than this and more than half. */
const MUCH_ROOM = 1_024;

/**
 * The newest events of the log, as this process has just committed them: whoever follows closely need not ask Postgres for what has come
 * from here. Holds a gapless run of positions, nothing else.
 */
export class RecentEvents {
  readonly #limits: RecentEventsLimits;
  /** By position; what is gone has left its place. A Map would keep what passes through it from being collected, see `InFlight`. */
  #places: (SizedEvent | undefined)[] = [];
  /** Position before the first place. */
  #base = 0;
  /** Position before the oldest event that is held. */
  #released = 0;
  #last = 0;
  #bytes = 0;

  constructor(limits: Partial<RecentEventsLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Takes what was committed, in order. A gap before it (an append whose outcome was lost) makes everything older useless. */
  add(events: readonly SizedEvent[]): void {
    for (const sized of events) {
      const { position } = sized.event;
      if (position !== this.#last + 1) this.#beginAfter(position - 1);
      this.#places.push(sized);
      this.#last = position;
      this.#bytes += sized.bytes;
    }
    while (this.#last - this.#released > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) this.#drop();
    this.#giveRoomBack();
  }

  /** Events that follow `position`, at most `limit`; undefined where the next one is not held, whether or not there is one. */
  after(position: number, limit: number): SpelledEvent[] | undefined {
    if (position < this.#released || position >= this.#last) return undefined;
    const first = position - this.#base;
    return this.#places.slice(first, first + limit).flatMap((sized) => (sized === undefined ? [] : [sized.event]));
  }

  /** Nobody will ask for `position` and what is before it any more. */
  release(position: number): void {
    while (this.#released < Math.min(position, this.#last)) this.#drop();
    this.#giveRoomBack();
  }

  /** Holds nothing any more. */
  clear(): void {
    this.#beginAfter(this.#last);
  }

  #beginAfter(position: number): void {
    this.#places = [];
    this.#base = position;
    this.#released = position;
    this.#last = position;
    this.#bytes = 0;
  }

  #drop(): void {
    const place = this.#released - this.#base;
    this.#bytes -= this.#places[place]?.bytes ?? 0;
    this.#places[place] = undefined;
    this.#released += 1;
  }

  #giveRoomBack(): void {
    const room = this.#released - this.#base;
    if (room < MUCH_ROOM || 2 * room < this.#places.length) return;
    this.#places.splice(0, room);
    this.#base = this.#released;
  }
}
