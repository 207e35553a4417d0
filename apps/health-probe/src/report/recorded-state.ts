import { announcedStateSchema, TARGET_FRESH } from '@tocsin/contracts';
import type { AnnouncedHealth, RecordedEvent, RecordedHealth } from '@tocsin/domain';
import type { Latest } from './health-log.js';

/** What the log holds about a target, and where its two subjects stand. */
export interface RecordedState extends RecordedHealth {
  /** Version of `<kind>/<name>`. */
  version: number;
  /** Version of `target/<name>`. */
  lifeVersion: number;
  /** Id of the newest announcement, if any. */
  eventId?: string;
}

/** Subject of what is said about a target as such. */
export function lifeSubject(name: string): string {
  return `target/${name}`;
}

/**
 * The state the log has announced for a target. A target that was removed while it was up and declared again begins as
 * `pending`; one that was removed while it was down stays down, because that outage is still open for whoever was told.
 */
export function recordedState(subject: string, name: string, states: Latest, lives: Latest): RecordedState {
  const life = lives.events.get(lifeSubject(name));
  const versions = {
    version: states.versions[subject] ?? 0,
    lifeVersion: lives.versions[lifeSubject(name)] ?? 0,
  };
  const newest = states.events.get(subject);
  const announced = newest === undefined ? 'pending' : announcedBy(newest);
  if (newest === undefined || announced === 'pending' || announced === 'up') {
    if (life?.type === TARGET_FRESH) {
      const since = newest !== undefined && newest.position > life.position ? newest : life;
      return { ...versions, announced: 'up', sinceMs: Date.parse(since.time), eventId: since.id };
    }
    if (newest === undefined || (life !== undefined && life.position > newest.position)) {
      return { ...versions, announced: 'pending' };
    }
  }
  const episode = newest.extensions['episode'];
  return {
    ...versions,
    announced,
    sinceMs: Date.parse(newest.time),
    eventId: newest.id,
    ...(announced === 'up' || typeof episode !== 'string' ? {} : { episode }),
  };
}

function announcedBy(event: RecordedEvent): AnnouncedHealth {
  const { data } = event;
  const to = data !== null && typeof data === 'object' && !Array.isArray(data) ? data['to'] : undefined;
  const parsed = announcedStateSchema.safeParse(to);
  return parsed.success ? parsed.data : 'pending';
}
