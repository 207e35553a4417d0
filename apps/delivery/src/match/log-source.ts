import { readReplySchema, RPC } from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';

/** A page of the log. */
export interface LogPage {
  events: RecordedEvent[];
  /** Position to read after next. */
  next: number;
  /** Last position of the log. */
  head: number;
}

/** Reads the log by position, from the recorder: what the stream no longer has, or what is wanted out of turn. */
export class LogSource {
  constructor(private readonly broker: Broker) {}

  /**
   * Events after a position, oldest first.
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async read(request: { after: number; limit: number; types?: string[] }): Promise<LogPage> {
    const reply = await this.broker.request(RPC.logRead, request, { schema: readReplySchema });
    return {
      events: reply.events.map((event) => fromCloudEvent(event as CloudEvent)),
      next: reply.next,
      head: reply.head,
    };
  }

  /** The event at a position, which must exist. */
  async at(position: number): Promise<RecordedEvent | undefined> {
    const page = await this.read({ after: position - 1, limit: 1 });
    return page.events.find((event) => event.position === position);
  }
}
