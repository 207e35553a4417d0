import type { Database } from '@tocsin/postgres';
import type { LogSource } from '../match/log-source.js';
import { SubscriptionBook } from '../match/subscription-book.js';
import { deliveryId } from './delivery-id.js';
import { deliveryKey } from './records.js';

const PAGE = 1_000;
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

type Fate = 'delivered' | 'pending' | 'dead';

/** Indexes: attempt_delivered, pending_newest, dead_newest. The strongest fate wins where a replay gave a delivery several rows. */
const FATES = `
  SELECT subscription, position, 'delivered' AS fate FROM delivery.attempt WHERE delivered AND position > $1 AND position <= $2
  UNION ALL SELECT subscription, position, 'pending' FROM delivery.pending WHERE position > $1 AND position <= $2
  UNION ALL SELECT subscription, position, 'dead' FROM delivery.dead WHERE position > $1 AND position <= $2`;

/**
 * Recomputes from the log alone who had to be told what, and compares with the ledger. Removed subscriptions count for as long as
 * they lived; what a replay or a beginning in the past adds is not looked at.
 */
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
    const [row] = await this.database.query<{ checkpoint: number }>(
      'SELECT min(checkpoint) AS checkpoint FROM delivery.shard',
    );
    const upTo = Math.min(row?.checkpoint ?? 0, range.to ?? Number.MAX_SAFE_INTEGER);
    const audit: DeliveryAudit = {
      upTo,
      events: 0,
      accepted: 0,
      delivered: 0,
      pending: 0,
      parked: 0,
      superseded: 0,
      dead: 0,
      missing: [],
      missingCount: 0,
      ok: true,
    };
    const book = new SubscriptionBook(this.shards);
    for (let after = 0; after < upTo;) {
      const page = await this.log.read({ after, limit: PAGE });
      const events = page.events.filter((event) => event.position <= upTo);
      const accepted: { subscription: string; position: number; subject: string }[] = [];
      for (const event of events) {
        if (event.position > range.after) {
          audit.events += 1;
          for (const revision of book.matchingAnywhere(event)) {
            accepted.push({ subscription: revision.name, position: event.position, subject: event.subject });
          }
        }
        book.apply(event);
      }
      await this.#judge(audit, accepted, after, Math.min(page.next, upTo));
      book.dropBefore(page.next);
      if (page.next <= after) break;
      after = page.next;
    }
    audit.ok = audit.missingCount === 0;
    return audit;
  }

  async #judge(
    audit: DeliveryAudit,
    accepted: readonly { subscription: string; position: number; subject: string }[],
    after: number,
    upTo: number,
  ): Promise<void> {
    audit.accepted += accepted.length;
    if (accepted.length === 0) return;
    const { fates, parked, superseded } = await this.#ledger(after, upTo);
    for (const { subscription, position, subject } of accepted) {
      const fate = fates.get(deliveryKey(subscription, position));
      const ranges = superseded.get(`${subscription}|${subject}`) ?? [];
      if (fate !== undefined) audit[fate] += 1;
      else if (ranges.some(({ first, by }) => first <= position && position < by)) audit.superseded += 1;
      else if ((parked.get(subscription) ?? Number.POSITIVE_INFINITY) < position) audit.parked += 1;
      else {
        audit.missingCount += 1;
        if (audit.missing.length < MOST_NAMED) audit.missing.push(deliveryId(position, subscription));
      }
    }
  }

  /** One snapshot: what moves from one table to another between two statements would be counted in none. */
  async #ledger(after: number, upTo: number) {
    return this.database.transaction(async (tx) => {
      await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const fates = new Map<string, Fate>();
      const rank: Record<Fate, number> = { dead: 0, pending: 1, delivered: 2 };
      const rows = await tx.query<{ subscription: string; position: number; fate: Fate }>(FATES, [after, upTo]);
      for (const { subscription, position, fate } of rows) {
        const key = deliveryKey(subscription, position);
        const known = fates.get(key);
        if (known === undefined || rank[fate] > rank[known]) fates.set(key, fate);
      }
      const parked = await tx.query<{ subscription: string; position: number }>(
        'SELECT subscription, position FROM delivery.parked',
      );
      const ranges = await tx.query<{ subscription: string; subject: string; first: number; by: number }>(
        `SELECT subscription, subject, first_position AS first, by_position AS by FROM delivery.superseded
         WHERE by_position > $1 AND first_position <= $2`,
        [after, upTo],
      );
      return {
        fates,
        parked: new Map(parked.map((one) => [one.subscription, one.position])),
        superseded: Map.groupBy(ranges, (one) => `${one.subscription}|${one.subject}`),
      };
    });
  }
}
