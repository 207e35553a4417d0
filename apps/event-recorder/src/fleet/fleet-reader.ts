import {
  labelsSchema,
  overlaysOf,
  recordedStanding,
  REGISTRY_EVENTS,
  STATE_FACTS,
  TARGET_FRESH,
  TARGET_STALE,
  targetSpecSchema,
  type FleetEntry,
} from '@tocsin/contracts';
import { isWithheld, OVERLAYS, TocsinError, type Overlay, type RecordedEvent } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { z } from 'zod';
import { rowToEvent, type EventJsonRow } from './event-json.js';

/** Of a declaration only what is shown: the rest may be of another version. */
const declaredSchema = z.object({ spec: z.object({ kind: targetSpecSchema.shape.kind, labels: labelsSchema }) });

/** Which part of the fleet. */
export interface FleetQuery {
  /** Only names after this one; `''` = from the start. */
  after: string;
  limit: number;
  /** Labels a target must have, all of them. */
  labels: Readonly<Record<string, string>>;
  /** The moment to show, RFC 3339; now if left out. */
  at?: string | undefined;
}

/** A part of the fleet: one entry more than `limit` where more follow. */
export interface FleetRows {
  at: string;
  position: number;
  entries: FleetEntry[];
}

const regex = (types: readonly string[]) =>
  `^(?:${types.map((type) => type.replaceAll('.', String.raw`\.`)).join('|')})$`;
const DECLARED = regex([
  REGISTRY_EVENTS.targetRegistered,
  REGISTRY_EVENTS.targetUpdated,
  REGISTRY_EVENTS.targetRemoved,
]);
const LIFE = regex([REGISTRY_EVENTS.targetRegistered, TARGET_FRESH]);
const SEEN = regex([REGISTRY_EVENTS.targetRegistered, TARGET_FRESH, TARGET_STALE]);
const facts = (names: readonly string[]) => String.raw`^io\.tocsin\.[a-z]+\.(?:${names.join('|')})$`;
const STATE = facts(STATE_FACTS);
const FLAPPING = facts(['flapping-started', 'flapping-stopped']);
const MAINTENANCE = facts(['maintenance-started', 'maintenance-ended']);

/** Index: event_pkey, and the row of the head. Recording times never run backward, so a time is a position. */
const MOMENT = `
SELECT h.position AS head, least(h.position, CASE WHEN $1::timestamptz IS NULL THEN h.position
         ELSE log.position_before($1::timestamptz + interval '1 millisecond') END) AS position, now() AS now
  FROM log.head h`;

const newestOf = (subject: string, pattern: string, name: string) => `
  LEFT JOIN LATERAL (SELECT to_json(e) AS event FROM log.walk(${subject}, ARRAY['${pattern}'], 0, $4::bigint + 1, true, 1) AS hit
                       JOIN log.event e ON e.position = hit) ${name} ON true`;

/**
 * Indexes: subject_head_pkey for the names, event_subject for the newest event of each sort (through log.walk), event_pkey. Whoever was removed
 * is passed over here, so that a page is full.
 */
const PAGE = `
SELECT substr(h.subject, 8) AS name, d.event AS declared, state.event AS state, life.event AS life, seen.event AS seen,
       flapping.event AS flapping, maintenance.event AS maintenance
  FROM log.subject_head h
 CROSS JOIN LATERAL (SELECT to_json(e) AS event, e.type, e.data -> 'spec' ->> 'kind' AS kind, e.data -> 'spec' -> 'labels' AS labels
                       FROM log.walk(h.subject, ARRAY['${DECLARED}'], 0, $4::bigint + 1, true, 1) AS hit
                       JOIN log.event e ON e.position = hit) d
 ${newestOf(`d.kind || '/' || substr(h.subject, 8)`, STATE, 'state')}
 ${newestOf('h.subject', LIFE, 'life')}
 ${newestOf('h.subject', SEEN, 'seen')}
 ${newestOf(`d.kind || '/' || substr(h.subject, 8)`, FLAPPING, 'flapping')}
 ${newestOf(`d.kind || '/' || substr(h.subject, 8)`, MAINTENANCE, 'maintenance')}
 WHERE h.subject > 'target/' || $1 AND h.subject < 'target0'
   AND d.type <> '${REGISTRY_EVENTS.targetRemoved}' AND d.labels::jsonb @> $2::jsonb
 ORDER BY h.subject
 LIMIT $3`;

type Newest = Record<'state' | 'life' | 'seen' | 'flapping' | 'maintenance', EventJsonRow | null>;
type PageRow = { name: string; declared: EventJsonRow } & Newest;

/** Reads where the targets stand, now or at any moment that was, out of the log itself. */
export class FleetReader {
  constructor(private readonly database: Queryable) {}

  async page({ after, limit, labels, at }: FleetQuery): Promise<FleetRows> {
    const [moment] = await this.database.query<{ position: number; now: string }>(MOMENT, [at ?? null]);
    if (moment === undefined) throw new TocsinError('TCN_LOG_DAMAGED', 'log.head has no row');
    const rows = await this.database.query<PageRow>(PAGE, [after, JSON.stringify(labels), limit + 1, moment.position]);
    return { at: at ?? moment.now, position: moment.position, entries: rows.map(entryOf) };
  }
}

function entryOf(row: PageRow): FleetEntry {
  const event = (name: keyof Newest): RecordedEvent | undefined => {
    const json = row[name];
    return json === null ? undefined : rowToEvent(json);
  };
  const { spec } = declaredSchema.parse(rowToEvent(row.declared).data);
  const [state, life, seen] = [event('state'), event('life'), event('seen')];
  const standing = recordedStanding(state, life);
  const { announced, sinceMs, episode, kept } = standing;
  const said = [state, life, seen].find((one) => one !== undefined && one.id === standing.eventId);
  return {
    name: row.name,
    kind: spec.kind,
    labels: spec.labels,
    state: announced,
    ...(sinceMs === undefined ? {} : { since: isoTime(sinceMs) }),
    ...(episode === undefined ? {} : { episode }),
    overlays: overlays(state, event('flapping'), event('maintenance')),
    ...(kept === undefined || kept.told.announced === announced
      ? {}
      : {
          told: {
            state: kept.told.announced,
            ...(kept.told.sinceMs === undefined ? {} : { since: isoTime(kept.told.sinceMs) }),
            ...(kept.told.episode === undefined ? {} : { episode: kept.told.episode }),
          },
        }),
    ...(seen?.type === TARGET_STALE && seen.position > (state?.position ?? 0) ? { stale: true } : {}),
    ...lastEvidence(said),
    ...(said === undefined ? {} : { position: said.position }),
  };
}

function overlays(
  state: RecordedEvent | undefined,
  flapping: RecordedEvent | undefined,
  maintenance: RecordedEvent | undefined,
): Overlay[] {
  const over = new Set<Overlay>();
  if (state !== undefined && isWithheld(state) && !isSettled(state))
    for (const name of overlaysOf(state)) over.add(name);
  if (flapping?.type.endsWith('-started') === true) over.add('flapping');
  if (maintenance?.type.endsWith('-started') === true) over.add('maintenance');
  return OVERLAYS.filter((name) => over.has(name));
}

/** The truth has come back to what was told: nothing is kept back any more, whatever kept it then. */
function isSettled({ data }: RecordedEvent): boolean {
  const { to, told } = data as { to?: unknown; told?: { state?: unknown } };
  return told?.state === to;
}

function lastEvidence(event: RecordedEvent | undefined): Pick<FleetEntry, 'evidence'> {
  const evidence = (event?.data as { evidence?: FleetEntry['evidence'][] } | undefined)?.evidence?.at(-1);
  return evidence === undefined ? {} : { evidence };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
