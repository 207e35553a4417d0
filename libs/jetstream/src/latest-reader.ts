import { type LatestAnswer, latestReplySchema, type LatestRequest, RPC } from '@tocsin/contracts';
import { type CloudEvent, fromCloudEvent, type RecordedEvent } from '@tocsin/domain';
import type { Broker } from './broker.js';

const TIMEOUT_MS = 10_000;
/** Subjects of one request, as many as the recorder takes, and their bytes: the request is one message, too. */
const REQUEST_SUBJECTS = 5_000;
const REQUEST_BYTES = 512 * 1024;

/**
 * Asks the event recorder for the newest events and the versions of subjects, any number of them: a request at a time, each answered as
 * far as one message holds.
 * @returns as `EventStore.latest`; throws what `Broker.request` throws
 */
export function latestReader(broker: Pick<Broker, 'request'>): (request: LatestRequest) => Promise<LatestAnswer> {
  return async (request) => {
    const events: RecordedEvent[] = [];
    const versions: Record<string, number> = {};
    let done = 0;
    while (done < request.subjects.length) {
      const subjects = oneMessage(request.subjects, done);
      const asked: LatestRequest = { ...request, subjects };
      const reply = await broker.request(RPC.logLatest, asked, { schema: latestReplySchema, timeoutMs: TIMEOUT_MS });
      for (const event of reply.events) events.push(fromCloudEvent(event as CloudEvent));
      Object.assign(versions, reply.versions);
      done += reply.answered ?? subjects.length;
    }
    return { events: events.toSorted((one, other) => one.position - other.position), versions };
  };
}

/** Subjects from `start` on, as many as one request takes. */
function oneMessage(subjects: readonly string[], start: number): string[] {
  const most = Math.min(subjects.length, start + REQUEST_SUBJECTS);
  let bytes = 0;
  let end = start;
  for (; end < most; end += 1) {
    bytes += Buffer.byteLength(JSON.stringify(subjects[end])) + 1;
    if (bytes > REQUEST_BYTES && end > start) break;
  }
  return subjects.slice(start, end);
}
