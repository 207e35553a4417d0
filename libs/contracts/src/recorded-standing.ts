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
import { healthEventDataSchema, type HealthEventData } from './health-event.js';
import { TARGET_FRESH } from './registry-events.js';
import { announcedStateSchema, targetKindSchema } from './target.js';

/** Facts that say in which state a target is. Others about the same subject (flapping, maintenance) do not. */
export const STATE_FACTS = ['offline', 'online', 'degraded', 'restored', 'unknown'] as const;
/** Types of the events that say so, of every kind of target. */
export const STATE_TYPES: readonly string[] = targetKindSchema.options.flatMap((kind) =>
  STATE_FACTS.map((fact) => `io.tocsin.${kind}.${fact}`),
);

/** What the log says of a target. */
export interface RecordedStanding extends Standing {
  /** Id of the event that says so, if any. */
  eventId?: string;
  /** The newest change itself, told or not. */
  newest?: Transition;
  /** How much the target had flapped then. */
  damping?: { points: number; flapping: boolean };
}

/**
 * The state the log has announced for a target. A target that was removed while it was up and declared again begins as
 * `pending`; one that was removed while it was down stays down, because that outage is still open for whoever was told.
 * @param newest newest event of {@link STATE_TYPES} about the target
 * @param life newest of its registration and its first verdict
 */
export function recordedStanding(newest: RecordedEvent | undefined, life: RecordedEvent | undefined): RecordedStanding {
  const announced = newest === undefined ? 'pending' : announcedBy(newest);
  const kept = newest === undefined ? undefined : keptBack(newest);
  if (newest === undefined || (kept === undefined && (announced === 'pending' || announced === 'up'))) {
    if (life?.type === TARGET_FRESH) {
      const since = newest !== undefined && newest.position > life.position ? newest : life;
      return { announced: 'up', sinceMs: Date.parse(since.time), eventId: since.id };
    }
    if (newest === undefined || (life !== undefined && life.position > newest.position)) {
      return { announced: 'pending' };
    }
  }
  const episode = newest.extensions['episode'];
  const data = healthEventDataSchema.safeParse(newest.data).data;
  return {
    ...(kept === undefined ? {} : { kept }),
    ...(data === undefined ? {} : { newest: transitionIn(newest, data) }),
    ...(data?.damping === undefined ? {} : { damping: data.damping }),
    announced,
    sinceMs: Date.parse(newest.time),
    eventId: newest.id,
    ...(announced === 'up' || typeof episode !== 'string' ? {} : { episode }),
  };
}

/** What kept an event back, by its extension `withheld`; none where the truth came back to what was told by itself. */
export function overlaysOf(event: Pick<RecordedEvent, 'extensions'>): Overlay[] {
  const names = String(event.extensions[WITHHELD]).split(',');
  return OVERLAYS.filter((overlay) => names.includes(overlay));
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
    because: overlaysOf(event),
    told: {
      announced: state,
      ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
      ...(episode === undefined ? {} : { episode }),
    },
  };
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
