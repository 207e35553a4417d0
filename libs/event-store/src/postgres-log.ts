import type { LatestAnswer, LatestRequest, ReadPage, ReadQuery } from '@tocsin/contracts';
import { OWN_SOURCE_PREFIX, TocsinError, type RecordedEvent } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { EVENT_COLUMNS, toRecordedEvent, type EventRow } from './event-row.js';
import { readStatement, type PageRow } from './read-statement.js';
import { isStorable, normalTime, requireStorable } from './storable.js';
import { Upcasters, type Upcaster } from './upcasters.js';
import { verifyLog, type VerifyProgress } from './verify.js';

const DERIVED_WEBHOOK_KEY = /^evt_([0-9a-f]{32})$/;

const HEAD = `SELECT position FROM log.head`;

/** Index: event_pkey. */
const BY_POSITION = `SELECT ${EVENT_COLUMNS} FROM log.event e WHERE e.position = $1`;

/** Index: event_key_pkey, then event_pkey. */
const BY_KEY = `
SELECT ${EVENT_COLUMNS}
  FROM log.event_key k JOIN log.event e ON e.position = k.position
 WHERE k.id = $1 AND k.source = $2`;

/** Indexes: event_key_pkey by its first column, event_key_webhook, then event_pkey. Tocsin's own events win, then the oldest. */
const BY_ID = `
WITH k AS (
  SELECT position, source FROM log.event_key WHERE id = $1
   UNION ALL
  SELECT position, source FROM log.event_key WHERE webhook_key = decode($2, 'hex')
)
SELECT ${EVENT_COLUMNS}
  FROM k JOIN log.event e ON e.position = k.position
 ORDER BY NOT starts_with(k.source, '${OWN_SOURCE_PREFIX}'), k.position
 LIMIT 1`;

/** Indexes: see `schema/walks.ts`; then event_pkey. */
const LATEST = `
SELECT l.subject AS asked, l.version AS at_version, ${EVENT_COLUMNS}
  FROM log.latest($1, $2, $3) l
  LEFT JOIN LATERAL (SELECT * FROM log.event WHERE position = l.newest OFFSET 0) e ON true
 ORDER BY e.position`;

/** What a {@link PostgresLog} needs. */
export interface PostgresLogOptions {
  database: Queryable;
  /** How payloads of older schema versions are read. */
  upcasters?: readonly Upcaster[];
}

/** The reading side of the log. Any number of them may read while one `Appender` writes. */
export class PostgresLog {
  readonly #database: Queryable;
  readonly #upcasters: Upcasters;

  constructor(options: PostgresLogOptions) {
    this.#database = options.database;
    this.#upcasters = new Upcasters(options.upcasters);
  }

  /** Last position of the log; 0 while it is empty. */
  async head(): Promise<number> {
    const [row] = await this.#database.query<{ position: number }>(HEAD);
    if (row === undefined) throw new TocsinError('TCN_LOG_DAMAGED', 'log.head has no row');
    return row.position;
  }

  /** One page by position, forward or backward. A page ends at `limit` events, at `maxBytes`, or where nothing more is recorded yet. */
  async read(query: ReadQuery): Promise<ReadPage> {
    requireStorable('/subject', query.subject);
    for (const [index, type] of (query.types ?? []).entries()) requireStorable(`/types/${index}`, type);
    const { sql, params } = readStatement({
      ...query,
      ...(query.since === undefined ? {} : { since: normalTime(query.since, '/since').text }),
      ...(query.until === undefined ? {} : { until: normalTime(query.until, '/until').text }),
    });
    const rows = await this.#database.query<PageRow>(sql, params);
    const [first] = rows;
    if (first === undefined) throw new TocsinError('TCN_LOG_DAMAGED', 'log.head has no row');
    const events = rows.flatMap((row) => (row.position === null ? [] : [this.#read(row)]));
    const last = events.at(-1);
    // Cut short by `limit` or by `maxBytes`: go on behind the last event. Else everything within the bounds has been seen.
    const cut = last !== undefined && (first.found === query.limit || events.length < first.found);
    if (query.direction === 'backward') {
      return { events, next: cut ? last.position : Math.min(first.low + 1, first.high), head: first.head };
    }
    return { events, next: cut ? last.position : Math.max(first.low, first.high - 1), head: first.head };
  }

  /** One event by position (a number), by id or by webhook key; Tocsin's own where a producer chose the same id. */
  async get(positionOrId: number | string): Promise<RecordedEvent | undefined> {
    if (typeof positionOrId === 'number') {
      return Number.isSafeInteger(positionOrId) ? this.#one(BY_POSITION, [positionOrId]) : undefined;
    }
    if (!isStorable(positionOrId)) return undefined;
    return this.#one(BY_ID, [positionOrId, DERIVED_WEBHOOK_KEY.exec(positionOrId)?.[1] ?? null]);
  }

  /** One event by its key. */
  async getByKey(source: string, id: string): Promise<RecordedEvent | undefined> {
    return isStorable(source) && isStorable(id) ? this.#one(BY_KEY, [id, source]) : undefined;
  }

  /** The newest event of each subject, among those of the given types and source, and each subject's version. */
  async latest(request: LatestRequest): Promise<LatestAnswer> {
    for (const [index, subject] of request.subjects.entries()) requireStorable(`/subjects/${index}`, subject);
    const rows = await this.#database.query<{ asked: string; at_version: number } & (EventRow | { position: null })>(
      LATEST,
      [request.subjects, request.types ?? null, request.source ?? null],
    );
    return {
      events: rows.flatMap((row) => (row.position === null ? [] : [this.#read(row)])),
      versions: Object.fromEntries(rows.map((row) => [row.asked, row.at_version])),
    };
  }

  /** Proves the log, page by page; see {@link verifyLog}. */
  verify(options: { signal?: AbortSignal } = {}): AsyncGenerator<VerifyProgress, void, void> {
    return verifyLog(this.#database, options);
  }

  async #one(sql: string, params: readonly unknown[]): Promise<RecordedEvent | undefined> {
    const [row] = await this.#database.query<EventRow>(sql, params);
    return row === undefined ? undefined : this.#read(row);
  }

  #read(row: EventRow): RecordedEvent {
    return this.#upcasters.apply(toRecordedEvent(row));
  }
}
