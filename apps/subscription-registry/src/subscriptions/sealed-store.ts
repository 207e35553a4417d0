import { sealedContext, type SealedDestination, sealedDestinationSchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Database } from '@tocsin/postgres';
import type { StandingSubscription } from './subscription-store.js';

const PUT = `
  INSERT INTO registry.sealed (ref, subscription, envelope)
  SELECT ref, subscription, decode(envelope, 'base64')
    FROM json_to_recordset($1::json) AS row (ref text, subscription text, envelope text)`;
const DISCARD = `DELETE FROM registry.sealed WHERE ref = ANY($1)`;
// Index: sealed_by_age.
const UNUSED = `
  SELECT sealed.ref
    FROM registry.sealed
   WHERE sealed.sealed_at < now() - make_interval(secs => $1)
     AND NOT EXISTS (SELECT FROM registry.subscription WHERE subscription.sealed_ref = sealed.ref)`;
const LOCK_CHECKPOINT = `SELECT position FROM registry.checkpoint FOR UPDATE`;
const CURRENT = `
  SELECT subscription.sealed_ref AS ref, sealed.envelope
    FROM registry.subscription
    JOIN registry.sealed ON sealed.ref = subscription.sealed_ref
   WHERE subscription.name = $1`;

/** An append is given up after 10 s; a seal without its event after an hour belongs to a process that ended between the two. */
export const ORPHAN_AFTER_S = 3_600;

/** Encrypts, bound to a context. */
export interface Sealing {
  seal(plaintext: string, context: string): Buffer;
  open(envelope: Buffer, context: string): string;
}

/** A sealed destination on its way into the store. */
export interface NewSeal {
  readonly ref: string;
  readonly subscription: string;
  readonly content: SealedDestination;
}

/**
 * Keeps the parts of subscriptions that never enter the log. A seal is written before the event that refers to it; the projector
 * erases it when no declaration refers to it any more.
 */
export class SealedStore {
  readonly #database: Database;
  readonly #sealing: Sealing;

  constructor(database: Database, sealing: Sealing) {
    this.#database = database;
    this.#sealing = sealing;
  }

  /** Seals and stores. Nothing shows it until an event refers to it. */
  async put(seals: readonly NewSeal[]): Promise<void> {
    if (seals.length === 0) return;
    const rows = seals.map(({ ref, subscription, content }) => ({
      ref,
      subscription,
      envelope: this.#sealing.seal(JSON.stringify(content), sealedContext(subscription, ref)).toString('base64'),
    }));
    await this.#database.query(PUT, [JSON.stringify(rows)]);
  }

  /**
   * What the seal of a standing subscription holds; undefined where none stands.
   * @throws TocsinError `TCN_SEAL_BROKEN` if the envelope is missing or does not open with this master key
   */
  open(subscription: string, standing: StandingSubscription): SealedDestination | undefined {
    if (standing.declared === undefined) return undefined;
    const { envelope, sealedRef } = standing.declared;
    if (envelope === undefined) {
      throw new TocsinError('TCN_SEAL_BROKEN', `the sealed destination of subscription "${subscription}" is missing`);
    }
    const plaintext = this.#sealing.open(envelope, sealedContext(subscription, sealedRef));
    return sealedDestinationSchema.parse(JSON.parse(plaintext));
  }

  /** The envelope a subscription uses now, still sealed; undefined where there is no such subscription. */
  async current(subscription: string): Promise<{ ref: string; envelope: Buffer } | undefined> {
    const [row] = await this.#database.query<{ ref: string; envelope: Buffer }>(CURRENT, [subscription]);
    return row;
  }

  /** Erases seals whose event was refused. */
  async discard(refs: readonly string[]): Promise<void> {
    if (refs.length > 0) await this.#database.query(DISCARD, [refs]);
  }

  /**
   * Erases seals that never got their event, because the process ended between the two.
   * @param olderThanS seconds; longer than any append may be under way
   * @param head position of the end of the log, asked after that time: only a projection that has come this far knows what refers to what
   * @returns how many were erased
   */
  async sweep(olderThanS: number, head: number): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const [checkpoint] = await tx.query<{ position: number }>(LOCK_CHECKPOINT);
      if (checkpoint === undefined || checkpoint.position < head) return 0;
      const unused = await tx.query<{ ref: string }>(UNUSED, [olderThanS]);
      if (unused.length > 0) await tx.query(DISCARD, [unused.map(({ ref }) => ref)]);
      return unused.length;
    });
  }
}
