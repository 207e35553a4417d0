import type { Database } from '@tocsin/postgres';

/** Where a delivery stands. */
export type DeliveryState = 'delivered' | 'pending' | 'dead';

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
}

/** What to list. */
export interface LedgerQuery {
  subscription?: string | undefined;
  position?: number | undefined;
  state?: DeliveryState | undefined;
  limit: number;
  /** Entries after this one, in the order of the list. */
  after?: { position: number; subscription: string } | undefined;
}

/** Newest first. Indexes: attempt_delivered (position), the primary keys of pending and dead. */
const LIST = `
  SELECT * FROM (
    SELECT subscription, position, 'delivered' AS state, number AS attempts, started_at AS at, NULL::text AS reason
    FROM delivery.attempt WHERE delivered
    UNION ALL
    SELECT subscription, position, 'pending', attempts, next_at, NULL FROM delivery.pending
    UNION ALL
    SELECT subscription, position, 'dead', attempts, at, reason FROM delivery.dead
  ) AS entry
  WHERE ($1::text IS NULL OR subscription = $1)
    AND ($2::bigint IS NULL OR position = $2)
    AND ($3::text IS NULL OR state = $3)
    AND ($4::bigint IS NULL OR position < $4 OR (position = $4 AND subscription > $5))
  ORDER BY position DESC, subscription
  LIMIT $6`;

const ATTEMPTS = `
  SELECT number, started_at AS "startedAt", outcome, status, error_class AS "errorClass", detail, address, phases_ms AS "phasesMs",
    response_bytes AS "responseBytes", body_head AS "bodyHead", next_at AS "nextAt", worker
  FROM delivery.attempt WHERE subscription = $1 AND position = $2
  ORDER BY started_at`;

/** The id of a delivery: `<position>-<subscription>`. */
export function deliveryId(position: number, subscription: string): string {
  return `${position}-${subscription}`;
}

/** The parts of a delivery's id; undefined if it is none. */
export function parseDeliveryId(id: string): { position: number; subscription: string } | undefined {
  const match = /^([1-9]\d{0,15})-(.+)$/.exec(id);
  const [, position, subscription] = match ?? [];
  return position === undefined || subscription === undefined
    ? undefined
    : { position: Number(position), subscription };
}

/** Reads the ledger: what became of every delivery, and every attempt. */
export class LedgerReader {
  constructor(private readonly database: Database) {}

  /** Entries of the ledger, newest events first. What is under way for the first time, a moment at most, has no entry yet. */
  async list(query: LedgerQuery): Promise<LedgerEntry[]> {
    const rows = await this.database.query<Omit<LedgerEntry, 'id'>>(LIST, [
      query.subscription ?? null,
      query.position ?? null,
      query.state ?? null,
      query.after?.position ?? null,
      query.after?.subscription ?? null,
      query.limit,
    ]);
    return rows.map((row) => ({ id: deliveryId(row.position, row.subscription), ...row }));
  }

  /** All attempts of one delivery, oldest first. */
  async attempts(subscription: string, position: number): Promise<AttemptView[]> {
    return this.database.query<AttemptView>(ATTEMPTS, [subscription, position]);
  }
}
