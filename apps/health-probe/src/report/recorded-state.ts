import { announcedStateSchema, healthEventDataSchema, TARGET_FRESH, type HealthEventData } from '@tocsin/contracts';
import {
  isWithheld,
  OVERLAYS,
  WITHHELD,
  type AnnouncedHealth,
  type Evidence,
  type Overlay,
  type RecordedEvent,
  type Standing,
  type Transition,
} from '@tocsin/domain';
import type { Latest } from './health-log.js';

/** What the log holds about a target, and where its two subjects stand. */
export interface RecordedState extends Standing {
  /** Version of `<kind>/<name>`. */
  version: number;
  /** Version of `target/<name>`. */
  lifeVersion: number;
  /** Id of the newest change, told or not, if any. */
  eventId?: string;
  /** The newest change itself. */
  newest?: Transition;
  /** How much the target had flapped then. */
  damping?: { points: number; flapping: boolean };
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
  const kept = newest === undefined ? undefined : keptBack(newest);
  if (newest === undefined || (kept === undefined && (announced === 'pending' || announced === 'up'))) {
    if (life?.type === TARGET_FRESH) {
      const since = newest !== undefined && newest.position > life.position ? newest : life;
      return { ...versions, announced: 'up', sinceMs: Date.parse(since.time), eventId: since.id };
    }
    if (newest === undefined || (life !== undefined && life.position > newest.position)) {
      return { ...versions, announced: 'pending' };
    }
  }
  const episode = newest.extensions['episode'];
  const data = healthEventDataSchema.safeParse(newest.data).data;
  return {
    ...versions,
    ...(kept === undefined ? {} : { kept }),
    ...(data === undefined ? {} : { newest: transitionIn(newest, data) }),
    ...(data?.damping === undefined ? {} : { damping: data.damping }),
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

/** Why the newest change is told to nobody, and what they know instead. */
function keptBack(event: RecordedEvent): Standing['kept'] {
  const told = healthEventDataSchema.safeParse(event.data).data?.told;
  if (!isWithheld(event) || told === undefined) return undefined;
  const { state, since, episode } = told;
  return {
    because: overlaysIn(event.extensions[WITHHELD]),
    told: {
      announced: state,
      ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
      ...(episode === undefined ? {} : { episode }),
    },
  };
}

function overlaysIn(text: unknown): Overlay[] {
  const names = String(text).split(',');
  return OVERLAYS.filter((overlay) => names.includes(overlay));
}

/** The inverse of the event made of a transition. */
function transitionIn(event: RecordedEvent, data: HealthEventData): Transition {
  const episode = event.extensions['episode'];
  return {
    subject: event.subject,
    from: data.from,
    to: data.to,
    timeMs: Date.parse(event.time),
    confirmedAtMs: Date.parse(data.confirmedAt),
    detectionMs: data.detectionMs,
    ...(typeof episode === 'string' ? { episode } : {}),
    confidence: data.confidence,
    evidence: data.evidence.map(({ at, detail, phase, ...word }): Evidence => ({
      ...word,
      atMs: Date.parse(at),
      detail: detail ?? '',
      ...(phase === undefined ? {} : { phase }),
    })),
    ...(data.votes === undefined ? {} : { votes: data.votes }),
    ...(data.downMs === undefined ? {} : { downMs: data.downMs }),
  };
}
