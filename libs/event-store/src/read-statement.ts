import type { ReadQuery } from '@tocsin/contracts';
import { EVENT_COLUMNS, type EventRow } from './event-row.js';

/** What a page costs besides the texts of its events, roughly: names, times, punctuation. */
const ENVELOPE_BYTES = 400;
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;

/** A row of a page. The page's own figures stand in every row; the event's are null where the page is empty. */
export type PageRow = { head: number; found: number; low: number; high: number } & (EventRow | { position: null });

/**
 * The statement for one page. One statement is one snapshot: head and events belong together, and since positions become visible in
 * their order, everything up to the head is there.
 *
 * Without filters it goes along `event_pkey`; with a subject along `event_subject`; with types it takes each type's own first events from
 * `event_type` and merges them (see `schema/walks.ts`), so that a rare type never costs a walk through the whole log.
 */
export function readStatement(query: ReadQuery): { sql: string; params: unknown[] } {
  const params: unknown[] = [];
  const param = (value: unknown, type: string): string => `$${params.push(value)}::${type}`;
  const backward = query.direction === 'backward';
  const order = backward ? 'DESC' : 'ASC';
  const limit = param(query.limit, 'bigint');
  const low = [param(query.after ?? 0, 'bigint')];
  const high = [param(query.before ?? Number.MAX_SAFE_INTEGER, 'bigint'), '(SELECT position + 1 FROM log.head)'];
  if (query.since !== undefined) low.push(`log.position_before(${param(query.since, 'timestamptz')})`);
  if (query.until !== undefined) high.push(`log.position_before(${param(query.until, 'timestamptz')}) + 1`);

  const patterns = query.types?.includes('*') === true ? undefined : query.types;
  const positions =
    query.subject === undefined && patterns === undefined
      ? 'SELECT position FROM log.event WHERE position > bounds.low AND position < bounds.high'
      : `SELECT position FROM log.walk(${param(query.subject ?? null, 'text')}, ${param(patterns?.map(typeRegex) ?? null, 'text[]')},
           bounds.low, bounds.high, ${backward}, ${limit}) AS position`;
  const sql = `
  WITH bounds AS MATERIALIZED (
    SELECT greatest(${low.join(', ')}) AS low, least(${high.join(', ')}) AS high
  ), page AS (
    SELECT e.*
      FROM bounds
     CROSS JOIN LATERAL (${positions} ORDER BY position ${order} LIMIT ${limit}) hit
     CROSS JOIN LATERAL (SELECT * FROM log.event WHERE position = hit.position OFFSET 0) e
  ), sized AS (
    SELECT e.*,
           count(*) OVER () AS found,
           row_number() OVER running AS nth,
           sum(${ENVELOPE_BYTES} + octet_length(e.extensions::text) + coalesce(octet_length(e.data::text), 0)) OVER running AS bytes
      FROM page e
    WINDOW running AS (ORDER BY e.position ${order})
  )
  SELECT (SELECT position FROM log.head) AS head, bounds.low, bounds.high, coalesce(e.found, 0) AS found, ${EVENT_COLUMNS}
    FROM bounds LEFT JOIN sized e ON e.nth = 1 OR e.bytes <= ${param(query.maxBytes ?? DEFAULT_MAX_BYTES, 'bigint')}
   ORDER BY e.position ${order}`;
  return { sql, params };
}

/** The pattern of `typeMatches` (domain) as a regular expression of Postgres. */
export function typeRegex(pattern: string): string {
  const segments = pattern.split('.');
  const spelled = segments.map((segment, index) => {
    if (segment === '*') return index === segments.length - 1 ? '.*' : '[^.]*';
    return segment.replaceAll(/[\\^$.|?*+()[\]{}]/g, (special) => `\\${special}`);
  });
  return `^${spelled.join('\\.')}$`;
}
