import {
  eventGetReplySchema,
  eventsBeforeReplySchema,
  type EventsBeforeRequest,
  LOG_LOOK_RPC,
  type LogStart,
  readReplySchema,
  RPC,
} from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { LookAhead } from './look-ahead.js';

/** A page of the log. */
export interface LogPage {
  events: RecordedEvent[];
  /** Position to read after next. */
  next: number;
  /** Last position of the log. */
  head: number;
}

/** What to read. */
export interface LogRequest {
  after: number;
  limit: number;
  types?: string[];
  subject?: string;
}

/** Reads the log by position, from the recorder: what the stream no longer has, or what is wanted out of turn. */
export class LogSource {
  readonly #ahead = new LookAhead((request) => this.read(request));

  constructor(private readonly broker: Broker) {}

  /**
   * Events after a position, oldest first.
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async read(request: LogRequest): Promise<LogPage> {
    const reply = await this.broker.request(RPC.logRead, request, { schema: readReplySchema });
    return {
      events: reply.events.map((event) => fromCloudEvent(event as CloudEvent)),
      next: reply.next,
      head: reply.head,
    };
  }

  /** Events before a position or a time, newest first; some fewer than asked for where they are large. @throws as {@link read} */
  async before(request: EventsBeforeRequest): Promise<RecordedEvent[]> {
    const { events } = await this.broker.request(LOG_LOOK_RPC.before, request, { schema: eventsBeforeReplySchema });
    return events.map((event) => fromCloudEvent(event as CloudEvent));
  }

  /** One event, by position, id or `webhook-id`; undefined where there is none. @throws as {@link read} */
  async get(key: string): Promise<RecordedEvent | undefined> {
    const { event } = await this.broker.request(LOG_LOOK_RPC.get, { key }, { schema: eventGetReplySchema });
    return event === undefined ? undefined : fromCloudEvent(event as CloudEvent);
  }

  /** The event at a position; its neighbours with it, where they are asked for as well. @throws as {@link read} */
  async at(position: number): Promise<RecordedEvent | undefined> {
    return this.#ahead.at(position);
  }

  /**
   * The last position recorded before a time; 0 if there is none. Recording times never run backward in the log.
   * @throws TocsinError as {@link read}
   */
  async positionBefore(timeMs: number): Promise<number> {
    let low = 0;
    let high = (await this.read({ after: 0, limit: 1 })).head;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const event = await this.at(middle);
      if (event === undefined || Date.parse(event.recordedAt) < timeMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The position behind which something begins. @throws TocsinError as {@link read} */
  async startOf(start: LogStart): Promise<number> {
    return 'position' in start ? start.position : this.positionBefore(Date.parse(start.time));
  }
}
