import type { EventStore, LatestAnswer, LatestRequest } from '@tocsin/contracts';
import { toCloudEvent } from '@tocsin/domain';

/** Subjects of the first query, before it is known how large their events are, and at most of any: an event may have 256 KiB. */
const FIRST_SUBJECTS = 16;
const MOST_SUBJECTS = 500;

/** Bytes of a version in JSON, beside its subject. */
const VERSION_BYTES = 24;

/** The newest events of the first `answered` subjects asked for. */
export interface LatestPage extends LatestAnswer {
  answered: number;
}

/**
 * Answers as many subjects as fit into `maxBytes` of JSON, in the order they were asked, at least one. Asks the store for about as many at
 * a time, so that neither the answer nor the work grows with the number of subjects.
 */
export async function latestBounded(
  store: Pick<EventStore, 'latest'>,
  request: LatestRequest,
  maxBytes: number,
): Promise<LatestPage> {
  const page: LatestPage = { events: [], versions: {}, answered: 0 };
  let bytes = 0;
  let count = FIRST_SUBJECTS;
  while (page.answered < request.subjects.length) {
    const subjects = request.subjects.slice(page.answered, page.answered + count);
    const { events, versions } = await store.latest({ ...request, subjects });
    const newest = new Map(events.map((event) => [event.subject, event]));
    for (const subject of subjects) {
      const event = newest.get(subject);
      bytes += Buffer.byteLength(JSON.stringify(subject)) + VERSION_BYTES;
      if (event !== undefined) bytes += Buffer.byteLength(JSON.stringify(toCloudEvent(event))) + 1;
      if (bytes > maxBytes && page.answered > 0) return page;
      if (event !== undefined) page.events.push(event);
      page.versions[subject] = versions[subject] ?? 0;
      page.answered += 1;
    }
    const fit = Math.ceil((maxBytes - bytes) / (bytes / page.answered));
    count = Math.min(MOST_SUBJECTS, Math.max(1, fit));
  }
  return page;
}
