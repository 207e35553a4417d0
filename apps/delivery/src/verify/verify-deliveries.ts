import type { Database } from '@tocsin/postgres';
import type { LogSource } from '../match/log-source.js';
import { deliveryId } from '../ledger/delivery-id.js';
import { deliveryKey } from '../ledger/records.js';
import { matchedLog, type MatchedPart } from './matched-log.js';
import { type DeliveryFate, partFates } from './part-fates.js';

/** Deliveries named in an answer at most. */
const MOST_NAMED = 100;

/** What the log says was to be told, against what the ledger says became of it. */
export interface DeliveryAudit {
  /** Last position that was looked at: beyond the checkpoints some deliveries are under way. */
  upTo: number;
  events: number;
  /** Pairs of event and subscription that match. */
  accepted: number;
  delivered: number;
  pending: number;
  parked: number;
  superseded: number;
  dead: number;
  /** Ids of accepted deliveries of which the ledger knows nothing, a hundred at most. */
  missing: string[];
  missingCount: number;
  /** Every accepted match has a fate: accepted = delivered + pending + parked + superseded + dead. */
  ok: boolean;
}

/** An audit of nothing yet. */
export function openAudit(upTo: number): DeliveryAudit {
  const counts = { events: 0, accepted: 0, delivered: 0, pending: 0, parked: 0, superseded: 0, dead: 0 };
  return { upTo, ...counts, missing: [], missingCount: 0, ok: true };
}

/** Counts a part of the log in. */
export function countIn(audit: DeliveryAudit, part: MatchedPart, fates: ReadonlyMap<string, DeliveryFate>): void {
  audit.events += part.events.length;
  audit.accepted += part.accepted.length;
  for (const { event, revision } of part.accepted) {
    const state = fates.get(deliveryKey(revision.name, event.position))?.state;
    if (state !== undefined) {
      audit[state] += 1;
      continue;
    }
    audit.ok = false;
    audit.missingCount += 1;
    if (audit.missing.length < MOST_NAMED) audit.missing.push(deliveryId(event.position, revision.name));
  }
}

/** How far all shards have settled everything, or have a row for it. */
export async function settledUpTo(database: Pick<Database, 'query'>): Promise<number> {
  const [row] = await database.query<{ checkpoint: number | null }>(
    'SELECT min(checkpoint) AS checkpoint FROM delivery.shard',
  );
  return row?.checkpoint ?? 0;
}

/** Recomputes from the log alone who had to be told what, and compares with the ledger. */
export class VerifyDeliveries {
  constructor(
    private readonly database: Database,
    private readonly log: LogSource,
    private readonly shards: number,
  ) {}

  /**
   * @param range positions behind `after`, up to `to` or as far as all checkpoints have come
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async run(range: { after: number; to?: number | undefined }): Promise<DeliveryAudit> {
    const upTo = Math.min(await settledUpTo(this.database), range.to ?? Number.MAX_SAFE_INTEGER);
    const audit = openAudit(upTo);
    for await (const part of matchedLog(this.log, this.shards, { after: range.after, upTo })) {
      countIn(audit, part, await partFates(this.database, part.accepted));
    }
    return audit;
  }
}
