import {
  healthEventDataSchema,
  heartbeatDataSchema,
  overlaysOf,
  STATE_FACTS,
  type WithheldEntry,
} from '@tocsin/contracts';
import { OWN_SOURCE_PREFIX, type Overlay, type RecordedEvent } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { rowToEvent, type EventJsonRow } from './event-json.js';

/** Which part of what was withheld. */
export interface WithheldQuery {
  /** Only events before this position. */
  before?: number | undefined;
  limit: number;
  subject?: string | undefined;
  because?: Overlay | undefined;
  state?: 'held' | 'released' | undefined;
  labels: Readonly<Record<string, string>>;
}

/** Types of changes of a target, by what changes: its state, or whether its agent still sends heartbeats. */
const STATE = String.raw`^io\.tocsin\.[a-z]+\.(?:${STATE_FACTS.join('|')})$`;
const LOST = 'heartbeat-lost';
const HEARTBEAT = String.raw`^io\.tocsin\.[a-z]+\.(?:${LOST}|heartbeat-resumed)$`;

/**
 * Changes alone: what else is withheld is there so that later facts can be compared with it (the first certificate of a target).
 * Indexes: event_withheld backward; then event_subject from each one on, to the first of the same kind that says what is so (not withheld) or that
 * the truth is what was told. The subject stands in the comparison and the order, which only that index has.
 */
const PAGE = String.raw`
SELECT to_json(e) AS event, r.position AS released_position, r.recorded_at AS released_at, r.told AS released_told
  FROM log.event e
  LEFT JOIN LATERAL (
       SELECT n.position, n.recorded_at, n.extensions ->> 'withheld' IS NULL AS told
         FROM log.event n
        WHERE (n.subject, n.position) >= (e.subject, e.position) AND n.subject <= e.subject AND n.position >= e.position
          AND n.type ~ CASE WHEN e.type ~ '${HEARTBEAT}' THEN '${HEARTBEAT}' ELSE '${STATE}' END
          AND (n.extensions ->> 'withheld' IS NULL OR CASE
               WHEN e.type ~ '${HEARTBEAT}' THEN (n.type LIKE '%.${LOST}') = (n.data ->> 'told')::boolean
               ELSE n.data ->> 'to' = n.data -> 'told' ->> 'state' END)
        ORDER BY n.subject, n.position
        LIMIT 1) r ON true
 WHERE e.extensions ->> 'withheld' IS NOT NULL AND starts_with(e.source, '${OWN_SOURCE_PREFIX}')
   AND (e.type ~ '${STATE}' OR e.type ~ '${HEARTBEAT}')
   AND ($1::bigint IS NULL OR e.position < $1)
   AND ($2::text IS NULL OR e.subject = $2)
   AND ($3::text IS NULL OR $3 = ANY (string_to_array(e.extensions ->> 'withheld', ',')))
   AND ($4::boolean IS NULL OR (r.position IS NULL) = $4)
   AND (e.data -> 'labels')::jsonb @> $5::jsonb
 ORDER BY e.position DESC
 LIMIT $6`;

interface PageRow {
  event: EventJsonRow;
  released_position: number | null;
  released_at: string | null;
  released_told: boolean | null;
}

/** Reads what was stored and told to nobody, newest first: one entry more than `limit` where more follow. */
export class WithheldReader {
  constructor(private readonly database: Queryable) {}

  async page({ before, limit, subject, because, state, labels }: WithheldQuery): Promise<WithheldEntry[]> {
    const rows = await this.database.query<PageRow>(PAGE, [
      before ?? null,
      subject ?? null,
      because ?? null,
      state === undefined ? null : state === 'held',
      JSON.stringify(labels),
      limit + 1,
    ]);
    return rows.map(entryOf);
  }
}

function entryOf({ event: json, released_position, released_at, released_told }: PageRow): WithheldEntry {
  const event = rowToEvent(json);
  const { causedby, episode } = event.extensions;
  return {
    position: event.position,
    id: event.id,
    type: event.type,
    subject: event.subject,
    ...changeOf(event),
    since: event.time,
    because: overlaysOf(event),
    ...(typeof causedby === 'string' ? { causedBy: causedby } : {}),
    ...(typeof episode === 'string' ? { episode } : {}),
    ...(released_position === null || released_at === null
      ? {}
      : {
          released: { how: released_told === true ? 'told' : 'settled', position: released_position, at: released_at },
        }),
  };
}

function changeOf({ type, data }: RecordedEvent): Pick<WithheldEntry, 'labels' | 'from' | 'to' | 'told'> {
  if (new RegExp(HEARTBEAT).test(type)) return { labels: heartbeatDataSchema.parse(data).labels };
  const { labels, from, to, told } = healthEventDataSchema.parse(data);
  return { labels, from, to, ...(told === undefined ? {} : { told }) };
}
