import type { Database } from '@tocsin/postgres';
import {
  type AnnouncementRecord,
  deliveryKey,
  type EndpointRecord,
  type ParkedRecord,
  type PendingRecord,
  type ReplayRecord,
  type ShardState,
  type SupersededRecord,
} from './records.js';

const ms = (field: string): string => `(extract(epoch FROM ${field}) * 1000)::float8`;

/** Index: pending_shard. What was revived by hand is fetched apart, as there is room for it. */
const PENDING = `
  SELECT subscription, position, subject, attempts, ${ms('next_at')} AS "nextAt", ${ms('since')} AS since, replay
  FROM delivery.pending WHERE shard = $1 AND NOT revived ORDER BY position`;
/** Indexes: attempt_delivered, dead_newest, pending_shard. */
const SETTLED = `
  SELECT subscription, position FROM delivery.attempt WHERE shard = $1 AND position > $2 AND delivered
  UNION ALL SELECT subscription, position FROM delivery.dead WHERE shard = $1 AND position > $2
  UNION ALL SELECT subscription, position FROM delivery.pending WHERE shard = $1 AND position > $2`;
/** Index: superseded_newest. */
const SUPERSEDED = `
  SELECT subscription, subject, first_position AS first, by_position AS by, events, ${ms('at')} AS at
  FROM delivery.superseded WHERE shard = $1 AND by_position > $2`;

/** What the rows of a shard say. The epoch must have been raised before: from then on nobody else changes them. */
export async function loadShardState(database: Database, shard: number): Promise<ShardState> {
  return database.transaction(async (tx) => {
    const [row] = await tx.query<{ checkpoint: number }>('SELECT checkpoint FROM delivery.shard WHERE id = $1', [
      shard,
    ]);
    const checkpoint = row?.checkpoint ?? 0;
    const settled = await tx.query<{ subscription: string; position: number }>(SETTLED, [shard, checkpoint]);
    return {
      checkpoint,
      pending: await tx.query<PendingRecord>(PENDING, [shard]),
      parked: await tx.query<ParkedRecord>(
        `SELECT subscription, position, reason, ${ms('since')} AS since FROM delivery.parked WHERE shard = $1`,
        [shard],
      ),
      endpoints: await tx.query<EndpointRecord>(
        `SELECT subscription, revision, health, ${ms('held_until')} AS "heldUntil" FROM delivery.endpoint WHERE shard = $1`,
        [shard],
      ),
      announcements: await tx.query<AnnouncementRecord>(
        'SELECT id, event FROM delivery.announcement WHERE shard = $1 ORDER BY id',
        [shard],
      ),
      replays: await tx.query<ReplayRecord>(
        'SELECT subscription, position, next, spec FROM delivery.replay WHERE shard = $1 ORDER BY position',
        [shard],
      ),
      superseded: await tx.query<SupersededRecord>(SUPERSEDED, [shard, checkpoint]),
      settled: new Set(settled.map((one) => deliveryKey(one.subscription, one.position))),
    };
  });
}
