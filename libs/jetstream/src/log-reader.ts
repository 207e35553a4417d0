import { fromCloudEvent, isTocsinError, type CloudEvent, type RecordedEvent } from '@tocsin/domain';
import { readReplySchema, RPC, type ReadRequest } from '@tocsin/contracts';
import type { Broker } from './broker.js';

/** A piece of the log. */
export interface LogPage {
  events: RecordedEvent[];
  /** Last position of the log when it was read. */
  head: number;
}

const TIMEOUT_MS = 10_000;

/** Reads the log by asking the event recorder. Asks for fewer events at once where so many do not fit into one message. */
export function logReader(broker: Broker): (after: number, limit: number) => Promise<LogPage> {
  let most = Number.POSITIVE_INFINITY;
  return async (after, limit) => {
    for (;;) {
      const asked = Math.min(limit, most);
      const request: ReadRequest = { after, limit: asked };
      try {
        const page = await broker.request(RPC.logRead, request, { schema: readReplySchema, timeoutMs: TIMEOUT_MS });
        most = asked * 2;
        return { events: page.events.map((event) => fromCloudEvent(event as CloudEvent)), head: page.head };
      } catch (error) {
        if (!isTocsinError(error, 'TCN_TOO_LARGE') || asked === 1) throw error;
        most = Math.max(1, Math.floor(asked / 2));
      }
    }
  };
}
