import type { Inbox } from './inbox.js';

/** What is used of a client of `pg`, or of anything like it. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rowCount: number | null }>;
}

/** What is used of a pool of `pg`. */
export interface PostgresPool<Client extends PostgresClient> {
  connect(): Promise<Client & { release(destroy?: boolean): void }>;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS tocsin_inbox (
    webhook_id  text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX IF NOT EXISTS tocsin_inbox_received ON tocsin_inbox (received_at);
  CREATE TABLE IF NOT EXISTS tocsin_subject (
    subject  text PRIMARY KEY,
    sequence bigint NOT NULL
  )`;

/** Waits for a transaction that is inserting the same key, and then sees it. */
const REMEMBER = 'INSERT INTO tocsin_inbox (webhook_id) VALUES ($1) ON CONFLICT DO NOTHING';

const ADVANCE = `
  INSERT INTO tocsin_subject (subject, sequence) VALUES ($1, $2)
  ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence WHERE tocsin_subject.sequence < excluded.sequence`;

/** Index: tocsin_inbox_received. */
const FORGET = `DELETE FROM tocsin_inbox WHERE received_at < now() - make_interval(days => $1)`;

/** An inbox in the receiver's own Postgres, over its own pool: handlers write in the transaction that remembers the event. */
export class PostgresInbox<Client extends PostgresClient = PostgresClient> implements Inbox<Client> {
  constructor(private readonly pool: PostgresPool<Client>) {}

  /** Makes the two tables where they are not there. Whoever keeps a schema by migrations takes the statements from here. */
  async createTables(): Promise<void> {
    await this.#with((client) => client.query(TABLES));
  }

  /**
   * Forgets what came long ago. Retries go on for three days, a pause and a replay bring back older events: keep a month.
   * @returns how many were forgotten
   */
  async forget(olderThanDays = 30): Promise<number> {
    return (await this.#with((client) => client.query(FORGET, [olderThanDays]))).rowCount ?? 0;
  }

  async transaction<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    return this.#with(async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  async remember(client: Client, webhookId: string): Promise<boolean> {
    return (await client.query(REMEMBER, [webhookId])).rowCount === 1;
  }

  async advance(client: Client, subject: string, sequence: number): Promise<boolean> {
    return (await client.query(ADVANCE, [subject, sequence])).rowCount === 1;
  }

  async #with<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let sound = false;
    try {
      const result = await work(client);
      sound = true;
      return result;
    } finally {
      // After an error nobody knows what state the connection is in; errors are few and connections cheap.
      client.release(!sound);
    }
  }
}
