import type { JsonObject } from '@tocsin/domain';
import type { SavedDurable } from '@tocsin/jetstream';
import type { MigrationInterface, Queryable, QueryRunner } from '@tocsin/postgres';

/** Adds the table of what Postgres remembers of durables. It is no part of the record: nothing in the log depends on it. */
export class RememberDurables1767312000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE log.durable (
        name           text   PRIMARY KEY,
        acked          bigint NOT NULL CHECK (acked >= 0),
        -- The stream it was seen in: in another one it has to be made again.
        stream_created text   NOT NULL,
        config         json   NOT NULL
      );
      GRANT SELECT, INSERT, UPDATE, DELETE ON log.durable TO tocsin_recorder;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE log.durable');
  }
}

/** A durable and the stream it was last seen in. */
export interface RememberedDurable extends SavedDurable {
  streamCreatedAt: string;
}

// The whole table: there are as many rows as teams consume.
const ALL = `SELECT name, acked, stream_created AS "streamCreatedAt", config::text AS config FROM log.durable ORDER BY name`;

const SAVE = `
INSERT INTO log.durable (name, acked, stream_created, config)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::json[])
ON CONFLICT (name) DO UPDATE SET acked = excluded.acked, stream_created = excluded.stream_created, config = excluded.config`;

const FORGET = `DELETE FROM log.durable WHERE name = ANY ($1::text[])`;

/** What Postgres remembers of the durables of stream EVENTS. */
export class DurableTable {
  constructor(private readonly database: Queryable) {}

  async all(): Promise<RememberedDurable[]> {
    const rows = await this.database.query<Omit<RememberedDurable, 'config'> & { config: string }>(ALL);
    return rows.map((row) => ({ ...row, config: JSON.parse(row.config) as JsonObject }));
  }

  async save(durables: readonly RememberedDurable[]): Promise<void> {
    if (durables.length === 0) return;
    await this.database.query(SAVE, [
      durables.map(({ name }) => name),
      durables.map(({ acked }) => acked),
      durables.map(({ streamCreatedAt }) => streamCreatedAt),
      durables.map(({ config }) => JSON.stringify(config)),
    ]);
  }

  async forget(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.database.query(FORGET, [names]);
  }
}
