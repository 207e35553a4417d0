import type { Database } from '@tocsin/postgres';
import { deliveryId } from './delivery-id.js';

/** Where a delivery stands. */
export const DELIVERY_STATES = ['delivered', 'pending', 'parked', 'superseded', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One (event, subscription) of the ledger. */
export interface LedgerEntry {
  id: string;
  subscription: string;
  position: number;
  state: DeliveryState;
  attempts: number;
  /** When it came to this state, or when the next attempt is due while it is pending; RFC 3339. */
  at: string;
  reason: string | null;
  /** Superseded: how many events of the subject, from position `first` on, gave way to this one. */
  superseded?: { subject: string; first: number; events: number };
}

/** A subscription that is held: everything it wants behind `after` is parked. */
export interface ParkedView {
  subscription: string;
  after: number;
  reason: string;
  since: string;
}

/** One attempt as the API shows it. */
export interface AttemptView {
  number: number;
  startedAt: string;
  outcome: string;
  status: number | null;
  errorClass: string | null;
  detail: string | null;
  address: string | null;
  phasesMs: Record<string, number>;
  responseBytes: number;
  bodyHead: string | null;
  nextAt: string | null;
  worker: string;
  /** Trace and span of the attempt; null where it was not traced. */
  traceId: string | null;
  spanId: string | null;
}

/** What to list. */
export interface LedgerQuery {
  subscription?: string | undefined;
  position?: number | undefined;
  state?: Exclude<DeliveryState, 'parked'> | undefined;
  limit: number;
  /** Entries after this one, in the order of the list. */
  after?: { position: number; subscription: string } | undefined;
}

interface Row extends Omit<LedgerEntry, 'id' | 'superseded'> {
  subject: string | null;
  first: number | null;
  events: number | null;
}

/** Each state's rows, newest first, by an index that is in this order, so that a page costs a page however long the ledger is. */
const SOURCES: Record<Exclude<DeliveryState, 'parked'>, (where: string) => string> = {
  // Index: attempt_delivered, or the primary key of attempt for one subscription.
  delivered: (where) => `
    SELECT subscription, position, 'delivered' AS state, number AS attempts, started_at AS at, NULL::text AS reason,
      NULL::text AS subject, NULL::bigint AS first, NULL::bigint AS events
    FROM delivery.attempt WHERE delivered AND ${where}`,
  // Index: pending_newest, or the primary key.
  pending: (where) => `
    SELECT subscription, position, 'pending', attempts, next_at, NULL, NULL, NULL, NULL
    FROM delivery.pending WHERE ${where}`,
  // Index: dead_newest, or the primary key.
  dead: (where) => `
    SELECT subscription, position, 'dead', attempts, at, reason, NULL, NULL, NULL
    FROM delivery.dead WHERE ${where}`,
  // Index: superseded_newest.
  superseded: (where) => `
    SELECT subscription, by_position, 'superseded', 0, at, 'superseded', subject, first_position, events
    FROM delivery.superseded WHERE ${where.replaceAll('position', 'by_position')}`,
};

/** Columns of an {@link AttemptView}. */
export const ATTEMPT_COLUMNS = `
  number, started_at AS "startedAt", outcome, status, error_class AS "errorClass", detail, address, phases_ms AS "phasesMs",
  response_bytes AS "responseBytes", body_head AS "bodyHead", next_at AS "nextAt", worker, trace_id AS "traceId", span_id AS "spanId"`;

const ATTEMPTS = `
  SELECT ${ATTEMPT_COLUMNS}
  FROM delivery.attempt WHERE subscription = $1 AND position = $2
  ORDER BY started_at`;

/** Index: the primary key of superseded. */
const SUPERSEDED_AT = `
  SELECT by_position AS by, at FROM delivery.superseded
  WHERE subscription = $1 AND subject = $2 AND first_position <= $3 AND by_position > $3 ORDER BY by_position LIMIT 1`;

/** Reads the ledger: what became of every delivery, and every attempt. */
export class LedgerReader {
  constructor(private readonly database: Database) {}

  /**
   * Entries of the ledger, newest events first. What is under way for the first time, a moment at most, has no entry yet; what is
   * parked has none of its own (see {@link parked}). An entry `superseded` stands at the event that took the place of others.
   */
  async list(query: LedgerQuery): Promise<LedgerEntry[]> {
    const parameters: unknown[] = [query.limit];
    const conditions: string[] = [];
    const compare = (column: string, operator: string, value: unknown): void => {
      if (value !== undefined) conditions.push(`${column} ${operator} $${parameters.push(value)}`);
    };
    compare('subscription', '=', query.subscription);
    compare('position', '=', query.position);
    if (query.after !== undefined) {
      const position = `$${parameters.push(query.after.position)}`;
      const subscription = `$${parameters.push(query.after.subscription)}`;
      // The first half is what an index can begin at.
      conditions.push(`position <= ${position} AND (position < ${position} OR subscription > ${subscription})`);
    }
    const where = conditions.length === 0 ? 'true' : conditions.join(' AND ');
    const states = query.state === undefined ? (['delivered', 'pending', 'dead'] as const) : [query.state];
    const sources = states.map((state) =>
      `(${SOURCES[state](where)} ORDER BY position DESC, subscription LIMIT $1)`.replace(
        'ORDER BY position',
        state === 'superseded' ? 'ORDER BY by_position' : 'ORDER BY position',
      ),
    );
    const sql = `SELECT * FROM (${sources.join(' UNION ALL ')}) AS entry (subscription, position, state, attempts, at, reason, subject,
      first, events) ORDER BY position DESC, subscription, at DESC LIMIT $1`;
    return (await this.database.query<Row>(sql, parameters)).map(entryOf);
  }

  /** What became of one event for one subscription: the present state, where a replay gave it several rows. */
  async one(subscription: string, position: number): Promise<LedgerEntry | undefined> {
    const entries = await this.list({ subscription, position, limit: 100 });
    return entries.find(({ state }) => state === 'pending') ?? entries[0];
  }

  /** Did the event give way to a newer one of its subject? */
  async supersededAt(
    subscription: string,
    position: number,
    subject: string,
  ): Promise<{ by: number; at: string } | undefined> {
    const [row] = await this.database.query<{ by: number; at: string }>(SUPERSEDED_AT, [
      subscription,
      subject,
      position,
    ]);
    return row;
  }

  /** The subscriptions that are held at a position. */
  async parked(subscription?: string): Promise<ParkedView[]> {
    return this.database.query<ParkedView>(
      `SELECT subscription, position AS after, reason, since FROM delivery.parked
       WHERE $1::text IS NULL OR subscription = $1 ORDER BY subscription`,
      [subscription ?? null],
    );
  }

  /** All attempts of one delivery, oldest first. */
  async attempts(subscription: string, position: number): Promise<AttemptView[]> {
    return this.database.query<AttemptView>(ATTEMPTS, [subscription, position]);
  }
}

function entryOf({ subject, first, events, ...row }: Row): LedgerEntry {
  return {
    id: deliveryId(row.position, row.subscription),
    ...row,
    ...(subject === null || first === null || events === null ? {} : { superseded: { subject, first, events } }),
  };
}
