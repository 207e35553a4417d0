import type { Database } from '@tocsin/postgres';
import type { PendingRecord } from '../ledger/records.js';
import type { Lease } from '../shards/shard-leases.js';

/** Rows taken up in one round: they are held in memory. */
const MOST_A_ROUND = 500;

/**
 * From dead back to pending in one statement: whoever asks at the same time, each is owed once. Not what was given up with its
 * subscription. Index: the primary key of dead.
 */
const REVIVE_DEAD = `
  WITH chosen AS (
    SELECT subscription, position FROM delivery.dead
    WHERE reason <> 'subscription-removed' AND ($1::text IS NULL OR subscription = $1) AND ($2::bigint IS NULL OR position = $2)
      AND ($3::text IS NULL OR reason = $3)
    FOR UPDATE SKIP LOCKED
  ), taken AS (
    DELETE FROM delivery.dead USING chosen
    WHERE dead.subscription = chosen.subscription AND dead.position = chosen.position
    RETURNING dead.subscription, dead.position, dead.shard, dead.subject
  ), owed AS (
    INSERT INTO delivery.pending (subscription, position, shard, subject, attempts, next_at, since, revived)
    SELECT subscription, position, shard, subject, 0, now(), now(), true FROM taken
    ON CONFLICT (subscription, position) DO NOTHING
    RETURNING 1
  )
  SELECT count(*)::int AS revived FROM owed`;

/** Index: the primary key of pending. */
const HURRY_PENDING = `
  UPDATE delivery.pending SET revived = true WHERE subscription = $1 AND position = $2 RETURNING 1 AS hurried`;

/**
 * The owner takes up what was asked for; a process that has lost the shard takes nothing. Index: pending_revived.
 */
const TAKE_REVIVED = `
  WITH mine AS (
    SELECT shard.id FROM delivery.shard JOIN unnest($1::int[], $2::bigint[]) AS lease(id, epoch) USING (id, epoch)
    FOR SHARE OF shard
  ), chosen AS (
    SELECT subscription, position FROM delivery.pending JOIN mine ON mine.id = pending.shard
    WHERE revived AND subscription <> ALL ($3::text[])
    ORDER BY position LIMIT ${MOST_A_ROUND} FOR UPDATE OF pending SKIP LOCKED
  )
  UPDATE delivery.pending SET revived = false FROM chosen
  WHERE pending.subscription = chosen.subscription AND pending.position = chosen.position
  RETURNING pending.shard, pending.subscription, pending.position, pending.subject, pending.attempts,
    (extract(epoch FROM next_at) * 1000)::float8 AS "nextAt", (extract(epoch FROM since) * 1000)::float8 AS since, replay`;

/** Which given-up deliveries to try again. */
export interface RevivalQuery {
  subscription?: string | undefined;
  position?: number | undefined;
  reason?: string | undefined;
}

/** Deliveries that somebody wants to be tried again, by hand. Any replica takes the wish, the owner of the shard fulfils it. */
export class Revival {
  constructor(private readonly database: Database) {}

  /** Given-up deliveries are owed again, with a schedule of their own. @returns how many */
  async reviveDead(query: RevivalQuery): Promise<number> {
    const [row] = await this.database.query<{ revived: number }>(REVIVE_DEAD, [
      query.subscription ?? null,
      query.position ?? null,
      query.reason ?? null,
    ]);
    return row?.revived ?? 0;
  }

  /** A delivery that waits for its next attempt is tried now. @returns false if it does not wait */
  async hurry(subscription: string, position: number): Promise<boolean> {
    return (await this.database.query(HURRY_PENDING, [subscription, position])).length > 0;
  }

  /** What was asked for and is to be taken up under these leases. */
  async take(leases: readonly Lease[], full: readonly string[]): Promise<(PendingRecord & { shard: number })[]> {
    if (leases.length === 0) return [];
    return this.database.query(TAKE_REVIVED, [
      leases.map((lease) => lease.shard),
      leases.map((lease) => lease.epoch),
      full,
    ]);
  }
}
