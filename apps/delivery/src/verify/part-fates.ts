import type { Database } from '@tocsin/postgres';
import { deliveryKey } from '../ledger/records.js';
import type { Accepted } from './matched-log.js';

/** What became of one delivery, and when. */
export interface DeliveryFate {
  /** Undefined: the ledger knows nothing of it. */
  state: 'delivered' | 'pending' | 'dead' | 'superseded' | 'parked' | undefined;
  /** Start of the first attempt, and of the first that succeeded; epoch milliseconds. */
  firstAtMs?: number;
  deliveredAtMs?: number;
  /** It was given up once; what was delivered of it later was asked for by hand. */
  givenUp: boolean;
}

/** Index: the primary key of attempt, once a delivery. */
const ATTEMPTS = `
  SELECT subscription, position, (extract(epoch FROM min(started_at)) * 1000)::float8 AS first,
    (extract(epoch FROM min(started_at) FILTER (WHERE delivered)) * 1000)::float8 AS delivered, bool_or(outcome = 'dead') AS given_up
  FROM unnest($1::text[], $2::bigint[]) AS asked (subscription, position) JOIN delivery.attempt USING (subscription, position)
  GROUP BY subscription, position`;
/** Indexes: the primary keys. */
const ROWS = `
  WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) AS asked (subscription, position, subject))
  SELECT subscription, position, 'pending' AS state FROM asked JOIN delivery.pending USING (subscription, position)
  UNION ALL SELECT subscription, position, 'dead' FROM asked JOIN delivery.dead USING (subscription, position)
  UNION ALL SELECT asked.subscription, asked.position, 'superseded' FROM asked JOIN delivery.superseded AS gone
    ON gone.subscription = asked.subscription AND gone.subject = asked.subject
      AND gone.first_position <= asked.position AND gone.by_position > asked.position
  UNION ALL SELECT asked.subscription, asked.position, 'parked' FROM asked JOIN delivery.parked AS held
    ON held.subscription = asked.subscription AND held.position < asked.position`;

/** The strongest wins where a replay gave a delivery several rows. */
const RANK = { parked: 0, superseded: 1, dead: 2, pending: 3, delivered: 4 } as const;

/** The fate of every accepted delivery of a part, by {@link deliveryKey}; all of one moment. */
export async function partFates(
  database: Pick<Database, 'transaction'>,
  accepted: readonly Accepted[],
): Promise<Map<string, DeliveryFate>> {
  const fates = new Map<string, DeliveryFate>(
    accepted.map(({ event, revision }) => [
      deliveryKey(revision.name, event.position),
      { state: undefined, givenUp: false },
    ]),
  );
  if (accepted.length === 0) return fates;
  const names = accepted.map(({ revision }) => revision.name);
  const positions = accepted.map(({ event }) => event.position);
  const subjects = accepted.map(({ event }) => event.subject);
  await database.transaction(async (tx) => {
    // What moves from one table to another between two statements would be counted in none.
    await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const attempts = await tx.query<{
      subscription: string;
      position: number;
      first: number;
      delivered: number | null;
      given_up: boolean;
    }>(ATTEMPTS, [names, positions]);
    for (const row of attempts) {
      const fate = fates.get(deliveryKey(row.subscription, row.position));
      if (fate === undefined) continue;
      fate.firstAtMs = row.first;
      fate.givenUp = row.given_up;
      if (row.delivered === null) continue;
      fate.deliveredAtMs = row.delivered;
      fate.state = 'delivered';
    }
    const rows = await tx.query<{ subscription: string; position: number; state: keyof typeof RANK }>(ROWS, [
      ...[names, positions, subjects],
    ]);
    for (const { subscription, position, state } of rows) {
      const fate = fates.get(deliveryKey(subscription, position));
      if (fate !== undefined && (fate.state === undefined || RANK[state] > RANK[fate.state])) fate.state = state;
    }
  });
  return fates;
}
