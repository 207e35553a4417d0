import { TocsinError } from '@tocsin/domain';
import type { Database } from '@tocsin/postgres';
import type { Sealing } from '../subscriptions/sealed-store.js';

/** An answer can be asked for again for this long; whoever retries does so within minutes. */
const KEPT_S = 86_400;
/** A request that has no answer after this long ended with its process; no request takes half of it. */
const ABANDONED_S = 60;

// The row is taken by whoever inserts it, or finds one that has run out or was left by a process that ended.
const BEGIN = `
  INSERT INTO registry.answer (caller, key, fingerprint)
  VALUES ($1, $2, $3)
  ON CONFLICT (caller, key) DO UPDATE SET fingerprint = excluded.fingerprint, began_at = now(), envelope = NULL
   WHERE answer.began_at < now() - make_interval(secs => ${KEPT_S})
      OR (answer.envelope IS NULL AND answer.fingerprint = excluded.fingerprint
          AND answer.began_at < now() - make_interval(secs => ${ABANDONED_S}))
  RETURNING key`;
const FIND = `SELECT fingerprint, envelope FROM registry.answer WHERE caller = $1 AND key = $2`;
const FINISH = `UPDATE registry.answer SET envelope = $3 WHERE caller = $1 AND key = $2`;
const ABANDON = `DELETE FROM registry.answer WHERE caller = $1 AND key = $2 AND envelope IS NULL`;
// Index: answer_by_age.
const SWEEP = `DELETE FROM registry.answer WHERE began_at < now() - make_interval(secs => ${KEPT_S})`;

/** What a write answered. */
export interface GivenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent where there was none. */
  readonly body?: unknown;
}

/** One request that must have one effect. */
export interface OnceKey {
  /** Stands for who calls: nobody sees another's answers. */
  readonly caller: string;
  /** The `Idempotency-Key`. */
  readonly key: string;
}

/** Answers that were given, by `Idempotency-Key`. They may hold secrets that are shown once, so they are sealed. */
export class AnswerStore {
  readonly #database: Database;
  readonly #sealing: Sealing;

  constructor(database: Database, sealing: Sealing) {
    this.#database = database;
    this.#sealing = sealing;
  }

  /**
   * Takes the key for a request.
   * @param fingerprint of everything the request says
   * @returns the answer, if the same request was answered before; undefined if it is to be carried out now
   * @throws TocsinError `TCN_CONFLICT` if the key was used for another request, or its request is still under way
   */
  async begin(once: OnceKey, fingerprint: Buffer): Promise<GivenAnswer | undefined> {
    const taken = await this.#database.query(BEGIN, [once.caller, once.key, fingerprint]);
    if (taken.length > 0) return undefined;
    const [row] = await this.#database.query<{ fingerprint: Buffer; envelope: Buffer | null }>(FIND, [
      once.caller,
      once.key,
    ]);
    if (row !== undefined && !row.fingerprint.equals(fingerprint)) {
      throw new TocsinError('TCN_CONFLICT', 'this Idempotency-Key was used for another request; take a new one');
    }
    if (row === undefined || row.envelope === null) {
      throw new TocsinError('TCN_CONFLICT', 'the request with this Idempotency-Key is under way', {
        retryAfterMs: 1_000,
      });
    }
    return JSON.parse(this.#sealing.open(row.envelope, contextOf(once))) as GivenAnswer;
  }

  /** Keeps the answer. */
  async finish(once: OnceKey, answer: GivenAnswer): Promise<void> {
    const envelope = this.#sealing.seal(JSON.stringify(answer), contextOf(once));
    await this.#database.query(FINISH, [once.caller, once.key, envelope]);
  }

  /** Gives the key back: the request was refused, and may be right the next time. */
  async abandon(once: OnceKey): Promise<void> {
    await this.#database.query(ABANDON, [once.caller, once.key]);
  }

  /** Forgets answers that are too old to be asked for. */
  async sweep(): Promise<void> {
    await this.#database.query(SWEEP);
  }
}

function contextOf({ caller, key }: OnceKey): string {
  return `answer/${caller}#${key}`;
}
