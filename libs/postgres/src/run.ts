import type { Client, QueryConfig } from 'pg';
import type { QueryRunner } from 'typeorm';
import { isDriverLoss, translate } from './errors.js';

/** Something that runs SQL: a pool, a connection of its own, or a transaction. */
export interface Queryable {
  /**
   * Runs one statement and gives its rows (also those of `RETURNING`).
   *
   * Values come back as follows: `int8` as number, `timestamptz` as RFC 3339 string in UTC with milliseconds, `json`/`jsonb` parsed,
   * `numeric` as string, `bytea` as Buffer.
   * @throws TocsinError `TCN_UNAVAILABLE` if the connection was lost (it is then unknown whether the statement took effect);
   * otherwise the server's error, whose SQLSTATE `sqlState(error)` gives
   * @param name of a statement that is run over and over: every connection reads and plans it once. One name, one statement
   */
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]>;
}

/** Runs one statement on a runner's connection. */
export async function run<Row>(
  runner: QueryRunner,
  sql: string,
  params: readonly unknown[],
  name?: string,
): Promise<Row[]> {
  const values = [...params];
  try {
    if (name !== undefined) return await guard(runner, () => runPrepared<Row>(runner, { name, text: sql, values }));
    // The structured result gives the rows of UPDATE … RETURNING too.
    const result = await guard(runner, () => runner.query(sql, values, true));
    return (result.records ?? []) as Row[];
  } finally {
    // The driver's queries outlive young collections of the heap; what they were given must not.
    values.length = 0;
  }
}

/** TypeORM knows no named statements; the driver's connection under it does. */
async function runPrepared<Row>(runner: QueryRunner, statement: QueryConfig): Promise<Row[]> {
  const client = (await runner.connect()) as Client;
  return (await client.query(statement)).rows as Row[];
}

/** Runs something of the driver's; what callers see of its errors is decided here. */
export async function guard<T>(runner: QueryRunner, statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (isDriverLoss(error)) await discard(runner);
    throw translate(error);
  }
}

/** Ends the connection under a runner, so that the pool throws it away: it may still wait for an answer that never comes. */
async function discard(runner: QueryRunner): Promise<void> {
  try {
    if (runner.isReleased) return;
    const client = (await runner.connect()) as { end(): Promise<void> };
    // Not awaited to the end: a peer that is gone does not say goodbye.
    client.end().catch(() => undefined);
  } catch {
    // There was no connection to end.
  }
}
