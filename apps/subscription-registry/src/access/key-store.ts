import type { KeySpec, KeyView } from '@tocsin/contracts';
import type { Database } from '@tocsin/postgres';
import { keySubject } from '../projection/change.js';
import { type Page, pageOf, type PageRequest } from '../request/page.js';

const SHOWN = `
  SELECT k.name, k.spec, k.key_id, k.revision, k.created_at, k.updated_at, s.used_at
    FROM registry.api_key k
    LEFT JOIN registry.key_secret s ON s.key_id = k.key_id`;
const ONE = `${SHOWN} WHERE k.name = $1`;
// Walks the primary key.
const PAGE = `${SHOWN} WHERE k.name > $1 ORDER BY k.name LIMIT $2`;
const STANDING = `
  SELECT v.version, k.spec, k.revision, k.key_id
    FROM registry.subject_version v
    LEFT JOIN registry.api_key k ON k.name = substr(v.subject, 5)
   WHERE v.subject = $1`;
// Index: api_key_by_id.
const HOLDER = `
  SELECT k.name, k.spec, s.hash
    FROM registry.api_key k
    JOIN registry.key_secret s ON s.key_id = k.key_id
   WHERE k.key_id = $1`;
const PUT_SECRET = `INSERT INTO registry.key_secret (key_id, hash) VALUES ($1, $2)`;
const DISCARD_SECRET = `DELETE FROM registry.key_secret WHERE key_id = $1`;
const USED = `
  UPDATE registry.key_secret SET used_at = date_trunc('minute', now())
   WHERE key_id = $1 AND (used_at IS NULL OR used_at < date_trunc('minute', now()))`;
const LOCK_CHECKPOINT = `SELECT position FROM registry.checkpoint FOR UPDATE`;
const SWEEP = `
  DELETE FROM registry.key_secret s
   WHERE s.made_at < now() - make_interval(secs => $1)
     AND NOT EXISTS (SELECT FROM registry.api_key k WHERE k.key_id = s.key_id)`;

interface ShownRow {
  name: string;
  spec: KeySpec;
  key_id: string;
  revision: number;
  created_at: string;
  updated_at: string;
  used_at: string | null;
}

/** How a key's declaration stands, for whoever wants to change it. */
export interface StandingKey {
  /** Version of its subject; 0 if there never was an event of it. */
  readonly version: number;
  /** Absent where no key of the name is declared now. */
  readonly declared?: { readonly spec: KeySpec; readonly revision: number; readonly keyId: string };
}

/** Whose key it is, if its hash matches. */
export interface KeyHolder {
  readonly name: string;
  readonly spec: KeySpec;
  readonly hash: string;
}

/** API keys: the projection, and beside it the hashes, which never enter the log. */
export class KeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** A key as the API shows it; undefined if none of the name is declared. */
  async find(name: string): Promise<KeyView | undefined> {
    const [row] = await this.#database.query<ShownRow>(ONE, [name]);
    return row === undefined ? undefined : viewOf(row);
  }

  /** Keys in order of their names. */
  async page(request: PageRequest): Promise<Page<KeyView>> {
    const rows = await this.#database.query<ShownRow>(PAGE, [request.after, request.limit + 1]);
    return pageOf(rows.map(viewOf), request.limit);
  }

  async standing(name: string): Promise<StandingKey> {
    const [row] = await this.#database.query<{
      version: number;
      spec: KeySpec | null;
      revision: number | null;
      key_id: string | null;
    }>(STANDING, [keySubject(name)]);
    if (row === undefined) return { version: 0 };
    const { version, spec, revision, key_id: keyId } = row;
    if (spec === null || revision === null || keyId === null) return { version };
    return { version, declared: { spec, revision, keyId } };
  }

  /** Who holds the key of this id, and what to check it by. */
  async holder(keyId: string): Promise<KeyHolder | undefined> {
    const [row] = await this.#database.query<KeyHolder>(HOLDER, [keyId]);
    return row;
  }

  /** Keeps the hash of a new key. Nothing can be done with the key until an event declares it. */
  async putSecret(keyId: string, hash: string): Promise<void> {
    await this.#database.query(PUT_SECRET, [keyId, hash]);
  }

  /** Erases the hash of a key whose event was refused. */
  async discardSecret(keyId: string): Promise<void> {
    await this.#database.query(DISCARD_SECRET, [keyId]);
  }

  /** Notes that a key was used, to the minute. */
  async used(keyId: string): Promise<void> {
    await this.#database.query(USED, [keyId]);
  }

  /**
   * Erases hashes that never got their event, because the process ended between the two.
   * @param olderThanS seconds; longer than any append may be under way
   * @param head position of the end of the log, asked after that time
   */
  async sweep(olderThanS: number, head: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const [checkpoint] = await tx.query<{ position: number }>(LOCK_CHECKPOINT);
      if (checkpoint !== undefined && checkpoint.position >= head) await tx.query(SWEEP, [olderThanS]);
    });
  }
}

function viewOf(row: ShownRow): KeyView {
  return {
    name: row.name,
    ...row.spec,
    keyId: row.key_id,
    ...(row.used_at === null ? {} : { lastUsedAt: row.used_at }),
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
