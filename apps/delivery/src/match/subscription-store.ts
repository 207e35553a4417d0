import { type LogStart, subscriptionSpecSchema } from '@tocsin/contracts';
import type { Database } from '@tocsin/postgres';
import type { SubscriptionChange, SubscriptionRevision } from './subscription-book.js';

const LOAD = `
  SELECT name, shard, from_position, to_position, spec, sealed_ref, history
  FROM delivery.subscription
  ORDER BY name, from_position`;

/** A revision that ended before its shard's checkpoint is matched again only for a subscription that is parked further back. */
const DROP_OLD = `
  DELETE FROM delivery.subscription AS old USING delivery.shard
  WHERE shard.id = old.shard AND old.to_position < shard.checkpoint
    AND NOT EXISTS (SELECT FROM delivery.parked WHERE parked.subscription = old.name)`;

/** Keeps the revisions of subscriptions in `delivery.subscription`, with the position up to which they are complete. */
export class SubscriptionStore {
  constructor(private readonly database: Database) {}

  /** Every stored revision and the position up to which subscription events were applied. */
  async load(): Promise<{ revisions: SubscriptionRevision[]; checkpoint: number }> {
    return this.database.transaction(async (tx) => {
      const [projection] = await tx.query<{ checkpoint: number }>(
        'SELECT checkpoint FROM delivery.projection FOR SHARE',
      );
      const rows = await tx.query<{
        name: string;
        shard: number;
        from_position: number;
        to_position: number | null;
        spec: unknown;
        sealed_ref: string;
        history: LogStart | null;
      }>(LOAD);
      return {
        checkpoint: projection?.checkpoint ?? 0,
        revisions: rows.map((row) => ({
          name: row.name,
          shard: row.shard,
          fromPosition: row.from_position,
          toPosition: row.to_position ?? undefined,
          // Stored before a field was there, it gets that field's default.
          spec: subscriptionSpecSchema.parse(row.spec),
          sealedRef: row.sealed_ref,
          history: row.history ?? undefined,
        })),
      };
    });
  }

  /**
   * Stores what a batch of events changed. Any number of replicas does this at once: the statements change nothing the second
   * time, and the checkpoint only moves forward.
   */
  async save(changes: readonly SubscriptionChange[], checkpoint: number): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query('SELECT checkpoint FROM delivery.projection FOR UPDATE');
      for (const change of changes) {
        if (change.closed !== undefined) {
          await tx.query(
            'UPDATE delivery.subscription SET to_position = $3 WHERE name = $1 AND from_position = $2 AND to_position IS NULL',
            [change.closed.name, change.closed.fromPosition, change.closed.toPosition],
          );
        }
        if (change.kind === 'declared') {
          const { revision } = change;
          await tx.query(
            `INSERT INTO delivery.subscription (name, from_position, shard, spec, sealed_ref, history)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
            [
              revision.name,
              revision.fromPosition,
              revision.shard,
              JSON.stringify(revision.spec),
              revision.sealedRef,
              revision.history === undefined ? null : JSON.stringify(revision.history),
            ],
          );
        }
      }
      await tx.query(DROP_OLD);
      await tx.query('UPDATE delivery.projection SET checkpoint = greatest(checkpoint, $1)', [checkpoint]);
    });
  }
}
