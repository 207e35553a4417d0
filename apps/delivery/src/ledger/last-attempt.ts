import type { Database } from '@tocsin/postgres';

/** Index: the primary key. */
const LAST = `
  SELECT trace_id AS "traceId", span_id AS "spanId" FROM delivery.attempt
  WHERE subscription = $1 AND position = $2 AND span_id IS NOT NULL
  ORDER BY number DESC, started_at DESC LIMIT 1`;

/** Finds the span of the last attempt of a delivery that another process made, or this one before it was restarted. */
export class LastAttempt {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** Undefined where it was not traced. */
  async of(subscription: string, position: number): Promise<{ traceId: string; spanId: string } | undefined> {
    const [row] = await this.database.query<{ traceId: string; spanId: string }>(LAST, [subscription, position]);
    return row;
  }
}
