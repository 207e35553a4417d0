import type { Appended, AppendPart, AppendRequest } from '@tocsin/contracts';
import { type Clock, TocsinError } from '@tocsin/domain';

/** What a gatherer holds at most, and for how long it waits for the next part of something. */
const MOST_GATHERED_EVENTS = 100_000;
const MOST_GATHERED_BYTES = 96 * 1024 * 1024;
const PATIENCE_MS = 15_000;

interface Gathering {
  readonly parts: (AppendRequest | undefined)[];
  missing: number;
  events: number;
  bytes: number;
  lastMs: number;
}

/** Gathers the parts of appends, at the leader. What is never completed is forgotten, and was never recorded. */
export class PartGatherer {
  readonly #append: (request: AppendRequest) => Promise<readonly Appended[]>;
  readonly #clock: Clock;
  readonly #gatherings = new Map<string, Gathering>();
  /** What is complete and not yet answered: a part that is repeated meanwhile waits for the same answer. */
  readonly #appending = new Map<string, Promise<{ position: number }>>();

  constructor(append: (request: AppendRequest) => Promise<readonly Appended[]>, clock: Clock) {
    this.#append = append;
    this.#clock = clock;
  }

  /**
   * Takes a part; with the last one that was missing, appends them all.
   * @throws TocsinError `TCN_OVERLOADED` where more is held than there is room for; `TCN_INVALID` for a part that is none; what the
   *   append throws
   */
  async take({ gathering, part, parts, ...request }: AppendPart): Promise<{ position?: number }> {
    const appending = this.#appending.get(gathering);
    if (appending !== undefined) return appending;
    this.#forgetStale();
    const bytes = Buffer.byteLength(JSON.stringify(request.events));
    const one = this.#gatherings.get(gathering) ?? {
      parts: Array.from<AppendRequest | undefined>({ length: parts }),
      ...{ missing: parts, events: 0, bytes: 0, lastMs: 0 },
    };
    if (part >= parts || one.parts.length !== parts) throw new TocsinError('TCN_INVALID', 'is no part of this append');
    this.#requireRoom(request.events.length, bytes);
    this.#gatherings.set(gathering, one);
    if (one.parts[part] === undefined) {
      one.missing -= 1;
      one.events += request.events.length;
      one.bytes += bytes;
    }
    one.parts[part] = request;
    one.lastMs = this.#clock.monotonicMs();
    if (one.missing > 0) return {};
    this.#gatherings.delete(gathering);
    const answer = this.#appendWhole(one.parts.filter((piece) => piece !== undefined));
    this.#appending.set(gathering, answer);
    try {
      return await answer;
    } finally {
      this.#appending.delete(gathering);
    }
  }

  async #appendWhole(pieces: readonly AppendRequest[]): Promise<{ position: number }> {
    const appended = await this.#append({
      events: pieces.flatMap(({ events }) => events),
      expect: Object.assign({}, ...pieces.map(({ expect }) => expect)) as Record<string, number>,
    });
    return { position: appended.reduce((last, { position }) => Math.max(last, position), 0) };
  }

  #requireRoom(events: number, bytes: number): void {
    let [heldEvents, heldBytes] = [events, bytes];
    for (const one of this.#gatherings.values()) {
      heldEvents += one.events;
      heldBytes += one.bytes;
    }
    if (heldEvents <= MOST_GATHERED_EVENTS && heldBytes <= MOST_GATHERED_BYTES) return;
    throw new TocsinError('TCN_OVERLOADED', 'more large appends are on their way than can be held', {
      retryAfterMs: 1_000,
    });
  }

  #forgetStale(): void {
    const before = this.#clock.monotonicMs() - PATIENCE_MS;
    for (const [name, { lastMs }] of this.#gatherings) if (lastMs < before) this.#gatherings.delete(name);
  }
}
