import { InFlight, TocsinError } from '@tocsin/domain';
import { DataSource, type EntitySchema, type MigrationInterface, type QueryRunner } from 'typeorm';
import { clientConfig, unreachable, type ConnectionOptions, type StartupSettings } from './connection.js';
import { HeldConnection } from './held-connection.js';
import { prepare } from './migrate.js';
import { guard, run, type Queryable } from './run.js';
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
  readonly #held: HeldConnection[] = [];
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

  /**
   * For somebody who runs one statement right after the other: his connection stays with him meanwhile. To give it back to the pool after each
   * and to take it again is time in which Postgres has nothing to do. Without a statement for a second it is back in the pool, and after
   * an error it is the pool's to judge; no more need be done about it.
   */
  held(): Queryable {
    const held = new HeldConnection(() => this.dataSource.createQueryRunner());
    this.#held.push(held);
    return held;
  }

  /** Lets running statements and transactions finish, then closes the pool. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#running.none(), ...this.#held.map((each) => each.close())]);
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
