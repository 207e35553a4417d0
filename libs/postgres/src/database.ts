import { InFlight, TocsinError } from '@tocsin/domain';
import type { Client, QueryConfig } from 'pg';
import { DataSource, type EntitySchema, type MigrationInterface, type QueryRunner } from 'typeorm';
import { clientConfig, unreachable, type ConnectionOptions, type StartupSettings } from './connection.js';
import { isDriverLoss, translate } from './errors.js';
import { prepare } from './migrate.js';
import { SILENT_LOGGER } from './silent-logger.js';

/** A statement of a service takes milliseconds; one that takes this long is stuck and must let go of its locks. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** The client gives up later than the server, so that it learns of the server's own verdict if there is one. */
const ANSWER_GRACE_MS = 5_000;
/** A connection unused for this long is closed. */
const IDLE_TIMEOUT_MS = 60_000;
const DEFAULT_POOL_SIZE = 10;
/** It goes into the start-up options as it is, where a space or a backslash would begin another one. */
const ROLE_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/** Something that runs SQL: a pool, or a transaction. */
export interface Queryable {
  /**
   * Runs one statement and gives its rows (also those of `RETURNING`).
   *
   * Values come back as follows: `int8` as number, `timestamptz` as RFC 3339 string in UTC with milliseconds, `json`/`jsonb` parsed,
   * `numeric` as string, `bytea` as Buffer.
   * @throws TocsinError `TCN_UNAVAILABLE` if the connection was lost (it is then unknown whether the statement took effect);
   * otherwise the server's error, whose SQLSTATE `sqlState(error)` gives
   * @param name of a statement that is run over and over: every connection reads and plans it once. One name, one statement
   */
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]>;
}

/** How a service's database is opened. */
export interface DatabaseOptions extends ConnectionOptions {
  /** Role the runtime connections act as; made (NOLOGIN) and granted to the connecting user where it is missing. */
  role?: string;
  /** The service's schema; made where it is missing. The list of migrations that have run lives here. */
  schema: string;
  /** Classes with a name that ends in a timestamp, SQL inside. They run as the connecting user, who will own what they make. */
  migrations: readonly (new () => MigrationInterface)[];
  /** Read models for `dataSource.getRepository`. */
  entities?: EntitySchema[];
  /** Connections at most. Default 10. */
  poolSize?: number;
  /** Longest time a statement may take, milliseconds. Default 30,000. */
  statementTimeoutMs?: number;
  /** Told when an idle pooled connection breaks. The pool replaces it by itself; this is for the log only. */
  onIdleError?: (error: Error) => void;
}

/** A pool of connections on a migrated database. It survives restarts of the server: the next statement connects anew. */
export class Database implements Queryable {
  /** TypeORM's own door, for repositories and query builders. */
  readonly dataSource: DataSource;
  readonly #running = new InFlight();
  #closing: Promise<void> | undefined;

  private constructor(dataSource: DataSource) {
    this.dataSource = dataSource;
  }

  /**
   * Migrates and opens the pool.
   * @throws TocsinError `TCN_POSTGRES_UNREACHABLE` naming host, port and database; `TCN_POSTGRES_UNSUITABLE` if the server is older than
   * 15 or the user lacks a privilege (it is named); `TCN_CONFIG` if the URL is none
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    if (options.role !== undefined && !ROLE_NAME.test(options.role)) {
      throw new TocsinError('TCN_CONFIG', `"${options.role}" cannot be the name of a Postgres role here`);
    }
    await prepare(options);
    return Database.#connect(options, runtimeOptions(options));
  }

  /**
   * Opens a pool that the server refuses every write, on a database as it is: nothing is migrated.
   * @throws TocsinError `TCN_POSTGRES_UNREACHABLE`, `TCN_CONFIG` as {@link open}
   */
  static async openReadOnly(options: ConnectionOptions): Promise<Database> {
    const settings = { default_transaction_read_only: 'on' };
    return Database.#connect(options, runtimeOptions({ ...options, schema: 'public', migrations: [] }, settings));
  }

  static async #connect(options: ConnectionOptions, runtime: RuntimeOptions): Promise<Database> {
    const dataSource = new DataSource(runtime);
    try {
      await dataSource.initialize();
    } catch (error) {
      throw unreachable(options, error);
    }
    return new Database(dataSource);
  }

  async query<Row = Record<string, unknown>>(
    sql: string,
    params: readonly unknown[] = [],
    name?: string,
  ): Promise<Row[]> {
    return this.#use((runner) => run<Row>(runner, sql, params, name));
  }

  /**
   * Runs `work` in one transaction (READ COMMITTED): committed when it resolves, rolled back when it rejects.
   * @throws what `work` throws; `TCN_UNAVAILABLE` if the connection was lost, also during COMMIT, when the outcome is unknown
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#use(async (runner) => {
      await guard(runner, () => runner.startTransaction());
      let result: T;
      try {
        result = await work({ query: (sql, params = [], name) => run(runner, sql, params, name) });
      } catch (error) {
        // If the rollback fails, the connection is gone and the server rolls back by itself.
        await runner.rollbackTransaction().catch(() => undefined);
        throw error;
      }
      await guard(runner, () => runner.commitTransaction());
      return result;
    });
  }

  /** Lets running statements and transactions finish, then closes the pool. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#running.none();
    await this.dataSource.destroy();
  }

  async #use<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new TocsinError('TCN_UNAVAILABLE', 'the connections to Postgres are closed');
    const runner = this.dataSource.createQueryRunner();
    this.#running.begin();
    try {
      return await work(runner);
    } finally {
      await runner.release();
      this.#running.end();
    }
  }
}

async function run<Row>(runner: QueryRunner, sql: string, params: readonly unknown[], name?: string): Promise<Row[]> {
  const values = [...params];
  try {
    if (name !== undefined) return await guard(runner, () => runPrepared<Row>(runner, { name, text: sql, values }));
    // The structured result gives the rows of UPDATE … RETURNING too.
    const result = await guard(runner, () => runner.query(sql, values, true));
    return (result.records ?? []) as Row[];
  } finally {
    // The driver's queries outlive young collections of the heap; what they were given must not.
    values.length = 0;
  }
}

/** TypeORM knows no named statements; the driver's connection under it does. */
async function runPrepared<Row>(runner: QueryRunner, statement: QueryConfig): Promise<Row[]> {
  const client = (await runner.connect()) as Client;
  return (await client.query(statement)).rows as Row[];
}

/** Runs something of the driver's; what callers see of its errors is decided here. */
async function guard<T>(runner: QueryRunner, statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (isDriverLoss(error)) await discard(runner);
    throw translate(error);
  }
}

/** Ends the connection under a runner, so that the pool throws it away: it may still wait for an answer that never comes. */
async function discard(runner: QueryRunner): Promise<void> {
  try {
    if (runner.isReleased) return;
    const client = (await runner.connect()) as { end(): Promise<void> };
    // Not awaited to the end: a peer that is gone does not say goodbye.
    client.end().catch(() => undefined);
  } catch {
    // There was no connection to end.
  }
}

type RuntimeOptions = ConstructorParameters<typeof DataSource>[0];

function runtimeOptions(options: DatabaseOptions, more: StartupSettings = {}): RuntimeOptions {
  const timeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  const settings: StartupSettings = {
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: 2 * timeoutMs,
    ...(options.role === undefined ? {} : { role: options.role }),
    ...more,
  };
  const { connectionString, ...extra } = clientConfig(options, settings);
  return {
    type: 'postgres',
    ...(connectionString === undefined ? {} : { url: connectionString }),
    schema: options.schema,
    entities: options.entities ?? [],
    installExtensions: false,
    logger: SILENT_LOGGER,
    poolSize: options.poolSize ?? DEFAULT_POOL_SIZE,
    poolErrorHandler: (error: Error) => options.onIdleError?.(error),
    extra: { ...extra, idleTimeoutMillis: IDLE_TIMEOUT_MS, query_timeout: timeoutMs + ANSWER_GRACE_MS },
  };
}
