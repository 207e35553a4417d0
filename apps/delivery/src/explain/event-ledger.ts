import type { Database } from '@tocsin/postgres';
import { ATTEMPT_COLUMNS, type AttemptView } from '../ledger/ledger-reader.js';

/** What the ledger knows of one event for one subscription. */
export interface Fate {
  attempts: AttemptView[];
  /** Owed, and due at this time. */
  pending?: { nextAt: string; attempts: number };
  dead?: { at: string; reason: string };
  /** Gave way to the event at position `by`. */
  superseded?: { at: string; by: number };
  /** The subscription is held behind a position. */
  parked?: { after: number; since: string; reason: string };
  /** The oldest event of the same subject that is still owed, and when it is due: in order of subjects this one waits for it. */
  behind?: { position: number; nextAt: string };
  /** Everything up to here is settled or has a row. */
  checkpoint: number;
}

/** Index: the primary key of attempt, once a subscription. */
const ATTEMPTS = `
  SELECT subscription, ${ATTEMPT_COLUMNS}
  FROM delivery.attempt WHERE position = $1 AND subscription = ANY ($2) ORDER BY started_at`;
/** Indexes: the primary keys of pending, dead, superseded, parked. */
const ROWS = `
  SELECT subscription, 'pending' AS kind, next_at AS at, attempts::bigint AS number, NULL::text AS reason
    FROM delivery.pending WHERE position = $1 AND subscription = ANY ($2)
  UNION ALL SELECT subscription, 'dead', at, attempts, reason
    FROM delivery.dead WHERE position = $1 AND subscription = ANY ($2)
  UNION ALL SELECT subscription, 'superseded', at, by_position, NULL
    FROM delivery.superseded WHERE subscription = ANY ($2) AND subject = $3 AND first_position <= $1 AND by_position > $1
  UNION ALL (SELECT DISTINCT ON (subscription) subscription, 'behind', next_at, position, NULL
    FROM delivery.pending WHERE subscription = ANY ($2) AND subject = $3 AND position < $1 ORDER BY subscription, position)
  UNION ALL SELECT subscription, 'parked', since, position, reason
    FROM delivery.parked WHERE subscription = ANY ($2)`;
const CHECKPOINTS = 'SELECT id, checkpoint FROM delivery.shard';

interface LedgerRow {
  subscription: string;
  kind: 'pending' | 'dead' | 'superseded' | 'parked' | 'behind';
  at: string;
  number: number;
  reason: string | null;
}

/** Reads what became of one event, for as many subscriptions as there are. */
export class EventLedger {
  constructor(private readonly database: Pick<Database, 'transaction'>) {}

  /**
   * The fate of an event for each of the subscriptions, all of one moment.
   * @param shardOf the shard a subscription belongs to
   */
  async fates(
    event: { position: number; subject: string },
    subscriptions: readonly string[],
    shardOf: (subscription: string) => number,
  ): Promise<Map<string, Fate>> {
    const { position, subject } = event;
    return this.database.transaction(async (tx) => {
      // What moves from one table to another between two statements would be found in none.
      await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const attempts = await tx.query<AttemptView & { subscription: string }>(ATTEMPTS, [position, subscriptions]);
      const rows = await tx.query<LedgerRow>(ROWS, [position, subscriptions, subject]);
      const shards = await tx.query<{ id: number; checkpoint: number }>(CHECKPOINTS);
      const checkpoints = new Map(shards.map(({ id, checkpoint }) => [id, checkpoint]));
      const fates = new Map<string, Fate>(
        subscriptions.map((name) => [name, { attempts: [], checkpoint: checkpoints.get(shardOf(name)) ?? 0 }]),
      );
      for (const { subscription, ...attempt } of attempts) fates.get(subscription)?.attempts.push(attempt);
      for (const row of rows) {
        const fate = fates.get(row.subscription);
        if (fate !== undefined) put(fate, row);
      }
      return fates;
    });
  }
}

function put(fate: Fate, { kind, at, number, reason }: LedgerRow): void {
  switch (kind) {
    case 'pending':
      fate.pending = { nextAt: at, attempts: number };
      return;
    case 'dead':
      fate.dead = { at, reason: reason ?? '' };
      return;
    case 'superseded':
      // The next one of several, as the reader of the ledger has it.
      if (fate.superseded === undefined || number < fate.superseded.by) fate.superseded = { at, by: number };
      return;
    case 'behind':
      fate.behind = { position: number, nextAt: at };
      return;
    case 'parked':
      fate.parked = { after: number, since: at, reason: reason ?? '' };
      return;
  }
}
