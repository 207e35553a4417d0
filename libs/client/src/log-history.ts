import { DURABLE_RPC, durablePositionReplySchema, readReplySchema, RPC, type ReadRequest } from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent, TocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';

/** Where a consumer that was never there before begins. */
export type StartFrom =
  /** With what is recorded from now on. */
  | 'now'
  /** With the first event there is. */
  | 'start'
  /** With the event at this position. */
  | { position: number }
  /** With the first event recorded at this time or later. */
  | { time: Date | string };

const PAGE_EVENTS = 500;
const TIMEOUT_MS = 10_000;

/** A page of the log, filtered. */
export interface HistoryPage {
  events: RecordedEvent[];
  /** Everything wanted up to here is in the pages read so far. */
  next: number;
  head: number;
}

/** The log itself, asked of the event recorder: what lies before the stream, and what Postgres remembers of durables. */
export class LogHistory {
  constructor(
    private readonly broker: Pick<Broker, 'request'>,
    private readonly wanted: { types?: string[]; subject?: string },
  ) {}

  /** @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT`, as everything here */
  page(after: number): Promise<HistoryPage> {
    return this.#read({ after, limit: PAGE_EVENTS, ...this.wanted });
  }

  /** Up to where a durable has acknowledged, as Postgres remembers it; undefined where it knows no such durable. */
  async rememberedPosition(durable: string): Promise<number | undefined> {
    const options = { schema: durablePositionReplySchema, timeoutMs: TIMEOUT_MS };
    return (await this.broker.request(DURABLE_RPC.position, { durable }, options)).acked;
  }

  /** The position after which to begin. */
  async startAfter(from: StartFrom): Promise<number> {
    if (from === 'start') return 0;
    if (from === 'now') return (await this.#read({ after: 0, limit: 1 })).head;
    if ('position' in from) return from.position - 1;
    return this.#positionBefore(new Date(from.time).getTime());
  }

  /** Last position recorded before a time. Recording times never run backward, so halving finds it: twenty questions for a million events. */
  async #positionBefore(timeMs: number): Promise<number> {
    let low = 0;
    let high = (await this.#read({ after: 0, limit: 1 })).head;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const [event] = (await this.#read({ after: middle, limit: 1 })).events;
      if (event === undefined || Date.parse(event.recordedAt) >= timeMs) high = middle;
      else low = event.position;
    }
    return low;
  }

  async #read(request: ReadRequest): Promise<HistoryPage> {
    const reply = await this.broker.request(RPC.logRead, request, { schema: readReplySchema, timeoutMs: TIMEOUT_MS });
    return {
      events: reply.events.map((event) => fromCloudEvent(event as CloudEvent)),
      next: reply.next,
      head: reply.head,
    };
  }
}

/**
 * @throws TocsinError `TCN_INVALID` if no consumer can begin there
 */
export function requireStart(from: StartFrom): void {
  if (typeof from === 'string') return;
  const right =
    'position' in from
      ? Number.isSafeInteger(from.position) && from.position >= 1
      : Number.isFinite(new Date(from.time).getTime());
  if (!right) throw new TocsinError('TCN_INVALID', 'a consumer begins at a position from 1 on, or at a time');
}
