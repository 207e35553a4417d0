import type { RecordedEvent } from '@tocsin/domain';
import type { Database, Queryable } from '@tocsin/postgres';
import { lockCheckpoint, ProjectionGap } from './projection-store.js';
import { writeEvents } from './write-events.js';

/** What is read from the log alone, and by what its rows are told apart. */
const PROJECTED = [
  { table: 'target', key: 'name' },
  { table: 'target_health', key: 'kind, name' },
  { table: 'subscription', key: 'name' },
  { table: 'disablement', key: 'name' },
  { table: 'api_key', key: 'name' },
  { table: 'subject_version', key: 'subject' },
] as const;

/** One table of the projection after it was made anew. */
export interface RebuiltTable {
  readonly table: string;
  readonly rows: number;
  /** Of its content, hex. */
  readonly digest: string;
  /** Is a byte of it different from before? Then it was wrong. */
  readonly changed: boolean;
}

/** What a rebuild found. */
export interface Rebuilt {
  /** Up to where the log was read: where the projection stood. */
  readonly position: number;
  readonly tables: readonly RebuiltTable[];
}

/** Makes the projection anew from the log: by command, where somebody doubts it or a newer version projects otherwise. */
export class RebuildProjection {
  readonly #database: Database;
  readonly #read: (after: number) => Promise<readonly RecordedEvent[]>;

  /** @param read a page of the log after a position, in order */
  constructor(database: Database, read: (after: number) => Promise<readonly RecordedEvent[]>) {
    this.#database = database;
    this.#read = read;
  }

  /**
   * Makes the projection anew from the log, in one transaction: readers see the former one until the new one is whole, and writers wait. What
   * is no projection (sealed destinations, hashes of keys, answers) stays.
   * @throws whatever reading the log throws; everything stays as it was then
   */
  async run(): Promise<Rebuilt> {
    return this.#database.transaction(async (tx) => {
      const upTo = await lockCheckpoint(tx);
      const before = await contents(tx);
      for (const { table } of PROJECTED) await tx.query(`DELETE FROM registry.${table}`);
      let after = 0;
      while (after < upTo) {
        const page = (await this.#read(after)).filter((event) => event.position <= upTo);
        const last = page.at(-1);
        if (last === undefined || page[0]?.position !== after + 1)
          throw new ProjectionGap(after, page[0]?.position ?? 0);
        await writeEvents(tx, page);
        after = last.position;
      }
      const tables = (await contents(tx)).map((content, index) => ({
        ...content,
        changed: content.digest !== before[index]?.digest,
      }));
      return { position: upTo, tables };
    });
  }
}

/** SHA-256 over every row of every table of the projection, each in the order of its key: equal exactly where all bytes are. */
async function contents(tx: Queryable): Promise<Omit<RebuiltTable, 'changed'>[]> {
  const found: Omit<RebuiltTable, 'changed'>[] = [];
  for (const { table, key } of PROJECTED) {
    const [row] = await tx.query<{ rows: number; digest: string }>(`
      SELECT count(*) AS rows,
             encode(sha256(convert_to(coalesce(string_agg(encode(sha256(convert_to(t::text, 'UTF8')), 'hex'), '' ORDER BY ${key}), ''), 'UTF8')), 'hex') AS digest
        FROM registry.${table} t`);
    if (row !== undefined) found.push({ table, rows: row.rows, digest: row.digest });
  }
  return found;
}
