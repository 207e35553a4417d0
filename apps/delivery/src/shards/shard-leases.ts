import type { Database } from '@tocsin/postgres';

/** How long a lease holds without being renewed, milliseconds: a replica that was killed is replaced within this and one renewal. */
export const LEASE_MS = 3_000;
/** How often leases are renewed, milliseconds: two may fail before one runs out. */
export const RENEW_MS = 1_000;
/** A replica not seen for so long does not count when the shards are shared out, milliseconds: its leases have run out as well. */
const REPLICA_GONE_MS = LEASE_MS;

/** A shard this replica owns, and the epoch that proves it. */
export interface Lease {
  shard: number;
  epoch: number;
}

const SEEN = `
  INSERT INTO delivery.replica (id, seen_at) VALUES ($1, now())
  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`;
const GONE = `DELETE FROM delivery.replica WHERE seen_at < now() - make_interval(secs => $1 / 1000.0)`;
/** Rows are locked in the order in which the ledger's writer does. Index: the primary key; the whole table is SHARDS rows. */
const RENEW = `
  WITH mine AS (
    SELECT id FROM delivery.shard WHERE owner = $1 AND (id, epoch) IN (SELECT * FROM unnest($2::int[], $4::bigint[]))
    ORDER BY id FOR NO KEY UPDATE)
  UPDATE delivery.shard SET lease_until = now() + make_interval(secs => $3 / 1000.0)
  FROM mine WHERE shard.id = mine.id
  RETURNING shard.id AS shard, epoch`;
/** Free shards and those whose owner has let the lease run out; never one that another replica is just taking. */
const TAKE = `
  UPDATE delivery.shard SET owner = $1, epoch = epoch + 1, lease_until = now() + make_interval(secs => $3 / 1000.0)
  WHERE id IN (
    SELECT id FROM delivery.shard WHERE owner IS NULL OR lease_until < now()
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
  RETURNING id AS shard, epoch`;
/** By epoch: a shard that was lost and taken again meanwhile is another lease. */
const RELEASE = `
  WITH mine AS (
    SELECT id FROM delivery.shard WHERE owner = $1 AND (id, epoch) IN (SELECT * FROM unnest($2::int[], $3::bigint[]))
    ORDER BY id FOR NO KEY UPDATE)
  UPDATE delivery.shard SET owner = NULL, lease_until = '-infinity' FROM mine WHERE shard.id = mine.id`;

/** The leases of one replica in `delivery.shard`. All times are the database's. */
export class ShardLeases {
  constructor(
    private readonly database: Database,
    private readonly replica: string,
    private readonly shards: number,
  ) {}

  /**
   * One round: says that this replica lives, renews what it owns, and tells how many shards are its share.
   * @param counts whether it can take a share of the work; one that cannot keeps what it owns all the same
   * @returns the leases that still hold, the share, and how many other replicas count
   */
  async renew(owned: readonly Lease[], counts = true): Promise<{ held: Lease[]; share: number; others: number }> {
    await this.database.query(GONE, [REPLICA_GONE_MS]);
    if (counts) await this.database.query(SEEN, [this.replica]);
    else await this.leave();
    const [row] = await this.database.query<{ replicas: number }>(
      'SELECT count(*)::int AS replicas FROM delivery.replica',
    );
    const replicas = row?.replicas ?? 1;
    const held =
      owned.length === 0
        ? []
        : await this.database.query<Lease>(RENEW, [
            this.replica,
            owned.map((lease) => lease.shard),
            LEASE_MS,
            owned.map((lease) => lease.epoch),
          ]);
    return { held, share: Math.ceil(this.shards / Math.max(replicas, 1)), others: replicas - (counts ? 1 : 0) };
  }

  /** Takes up to `count` shards that nobody holds. */
  async take(count: number): Promise<Lease[]> {
    return this.database.query<Lease>(TAKE, [this.replica, count, LEASE_MS]);
  }

  /** Gives shards back, so that another replica need not wait for the lease to run out. */
  async release(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0) return;
    await this.database.query(RELEASE, [
      this.replica,
      leases.map((lease) => lease.shard),
      leases.map((lease) => lease.epoch),
    ]);
  }

  /** This replica ends, or cannot take its share. */
  async leave(): Promise<void> {
    await this.database.query('DELETE FROM delivery.replica WHERE id = $1', [this.replica]);
  }
}
