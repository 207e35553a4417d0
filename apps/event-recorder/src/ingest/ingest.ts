import type { Appended } from '@tocsin/contracts';
import { type Clock, type EventToAppend, isTocsinError, TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { activeTraceparent } from '@tocsin/tracing';
import type { AppendGate } from '../append/append-gate.js';
import type { LogWriter } from '../append/log-writer.js';
import { admit, type AdmittedEvent } from './admission.js';
import { requireScope } from './event-scope.js';
import type { IncomingEvents } from './http-cloudevents.js';

/** Finds what was recorded under a key; undefined where nothing was. */
export type FindByKey = (source: string, id: string) => Promise<EventToAppend | undefined>;

/** Records the events of other producers: the same use case behind HTTP and gRPC. */
export class Ingest {
  constructor(
    private readonly writer: Pick<LogWriter, 'append'>,
    private readonly findByKey: FindByKey,
    private readonly gate: AppendGate,
    private readonly clock: Clock,
  ) {}

  /**
   * Records all events or none; resolves after the commit, in the order given.
   * @param from.traceparent trace context the request came with; where it came with none, the one it is handled in is recorded
   * @param from.scope labels that every event must carry, because the key of the request is for them only
   * @throws TocsinError see `admit` and `LogWriter.append`; `TCN_FORBIDDEN` for an event outside of the scope; `TCN_KEY_REUSED` where a
   *   key was recorded with other content
   */
  async append(
    incoming: IncomingEvents,
    { traceparent, scope }: { traceparent?: string | undefined; scope?: Scope | undefined },
  ): Promise<Appended[]> {
    const admission = { nowMs: this.clock.now(), traceparent: traceparent ?? activeTraceparent() };
    const { events, bytes } = admit(incoming, admission);
    try {
      if (scope !== undefined) requireScope(events, scope);
      return await this.gate.pass({ events: events.length, bytes }, () => this.#record(events));
    } catch (error) {
      throw isTocsinError(error) ? asSent(error, incoming.mode) : error;
    }
  }

  async #record(admitted: AdmittedEvent[]): Promise<Appended[]> {
    try {
      return await this.writer.append({ events: admitted.map(({ event }) => event) });
    } catch (error) {
      const refilled = isTocsinError(error, 'TCN_KEY_REUSED') ? await this.#refill(admitted) : undefined;
      if (refilled === undefined) throw error;
      return this.writer.append({ events: refilled });
    }
  }

  /**
   * A producer that repeats an event without `time` sends the same content, but ingest fills in another time and another trace context
   * than at first. Takes over those of the recorded event; undefined where nothing was left open.
   */
  async #refill(admitted: AdmittedEvent[]): Promise<EventToAppend[] | undefined> {
    let changed = false;
    const refilled: EventToAppend[] = [];
    for (const { event, leftOpen } of admitted) {
      const gap = leftOpen.time || leftOpen.traceparent;
      const recorded = gap ? await this.findByKey(event.source, event.id) : undefined;
      if (recorded === undefined) {
        refilled.push(event);
        continue;
      }
      changed = true;
      refilled.push(asRecorded(event, leftOpen, recorded));
    }
    return changed ? refilled : undefined;
  }
}

function asRecorded(event: EventToAppend, leftOpen: AdmittedEvent['leftOpen'], recorded: EventToAppend): EventToAppend {
  const { traceparent: own, ...others } = event.extensions ?? {};
  const traceparent = leftOpen.traceparent ? recorded.extensions?.['traceparent'] : own;
  return {
    ...event,
    time: leftOpen.time ? recorded.time : event.time,
    extensions: traceparent === undefined ? others : { ...others, traceparent },
  };
}

/** An error whose faults point into the append request, pointing into what the producer sent instead. */
function asSent(error: TocsinError, mode: IncomingEvents['mode']): TocsinError {
  if (error.faults.length === 0) return error;
  const faults = error.faults.map(({ pointer, detail }) => ({
    pointer: pointer.replace(/^\/events\/(\d+)/, mode === 'batch' ? '/$1' : ''),
    detail,
  }));
  const detail = `the ${mode === 'batch' ? 'batch' : 'event'}: ${faults[0]?.pointer} ${faults[0]?.detail}`;
  return new TocsinError(error.code, detail, {
    cause: error,
    faults,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
