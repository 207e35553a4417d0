import { TocsinError, isTocsinError } from '@tocsin/domain';
import { type Client, escapeIdentifier } from 'pg';
import { DataSource, type EntitySchema, type MigrationInterface, QueryFailedError } from 'typeorm';
import { connect, clientConfig, serverName, type ConnectionOptions } from './connection.js';
import { SILENT_LOGGER } from './silent-logger.js';
import { SQLSTATE, isDriverLoss, sqlState, translate } from './errors.js';

/** PostgreSQL 15 is the oldest release that is still maintained long enough to rely on. */
const OLDEST_SERVER = 150_000;
/** Roles belong to the whole server, advisory locks to one database: services on several databases may meet at a role. */
const ROLE_ATTEMPTS = 10;

/** What {@link prepare} needs to know. */
export interface PrepareOptions extends ConnectionOptions {
  role?: string;
  schema: string;
  migrations: readonly (new () => MigrationInterface)[];
  entities?: EntitySchema[];
}

/**
 * Brings the database to what this release needs, as the connecting user: role, schema, migrations. An advisory lock makes replicas
 * that start at once wait for the first.
 * @throws {@link TocsinError} `TCN_POSTGRES_UNREACHABLE`, `TCN_POSTGRES_UNSUITABLE` (too old, or a privilege is missing: it is named)
 */
export async function prepare(options: PrepareOptions): Promise<void> {
  const client = await connect(options);
  try {
    await requireServer(client, options);
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`tocsin/migrations/${options.schema}`]);
    if (options.role !== undefined) await ensureRole(client, options.role);
    await ensureSchema(client, options.schema);
    await migrate(options);
  } catch (error) {
    throw explain(options, error);
  } finally {
    // Ending the session releases the lock; if the connection is gone, so is the lock.
    await client.end().catch(() => undefined);
  }
}

async function requireServer(client: Client, options: ConnectionOptions): Promise<void> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS name`,
  );
  const [version] = rows;
  if (version === undefined || version.number < OLDEST_SERVER) {
    throw new TocsinError(
      'TCN_POSTGRES_UNSUITABLE',
      `Postgres at ${serverName(options)} is version ${version?.name ?? 'unknown'}; Tocsin needs 15 or newer`,
    );
  }
}

/** Makes sure that `role` exists and that the connecting user may SET ROLE to it. */
async function ensureRole(client: Client, role: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await createRole(client, role);
      await joinRole(client, role);
      return;
    } catch (error) {
      const raced = [SQLSTATE.duplicateObject, SQLSTATE.uniqueViolation, SQLSTATE.internalError] as string[];
      if (attempt === ROLE_ATTEMPTS || !raced.includes(sqlState(error) ?? '')) throw error;
    }
  }
}

async function createRole(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<{ present: boolean; able: boolean; me: string }>(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS present,
            rolsuper OR rolcreaterole AS able,
            current_user::text AS me
       FROM pg_roles
      WHERE rolname = current_user`,
    [role],
  );
  const [standing] = rows;
  if (standing?.present === true) return;
  if (standing?.able !== true) {
    throw new TocsinError(
      'TCN_POSTGRES_UNSUITABLE',
      `Postgres user "${standing?.me ?? ''}" lacks the privilege CREATEROLE, which is needed to create the role "${role}". ` +
        `Grant it, or let an administrator run: CREATE ROLE ${role} NOLOGIN; GRANT ${role} TO "${standing?.me ?? ''}"`,
    );
  }
  await client.query(`CREATE ROLE ${escapeIdentifier(role)} NOLOGIN`);
}

async function joinRole(client: Client, role: string): Promise<void> {
  // The creator of a role may administer it, but since release 16 not SET ROLE to it without a grant of its own.
  const { rows } = await client.query<{ joined: boolean; me: string }>(
    `SELECT CASE WHEN current_setting('server_version_num')::int >= 160000
                 THEN pg_has_role(current_user, $1, 'SET')
                 ELSE pg_has_role(current_user, $1, 'MEMBER') END AS joined,
            current_user::text AS me`,
    [role],
  );
  if (rows[0]?.joined === true) return;
  try {
    await client.query(`GRANT ${escapeIdentifier(role)} TO CURRENT_USER`);
  } catch (error) {
    if (sqlState(error) !== SQLSTATE.insufficientPrivilege) throw error;
    const me = rows[0]?.me ?? '';
    throw new TocsinError(
      'TCN_POSTGRES_UNSUITABLE',
      `Postgres user "${me}" is no member of the role "${role}" and may not grant it to itself. ` +
        `Let an administrator run: GRANT ${role} TO "${me}"`,
      { cause: error },
    );
  }
}

async function ensureSchema(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ present: boolean; able: boolean; me: string; database: string }>(
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS present,
            has_database_privilege(current_database(), 'CREATE') AS able,
            current_user::text AS me,
            current_database()::text AS database`,
    [schema],
  );
  const [standing] = rows;
  if (standing?.present === true) return;
  if (standing?.able !== true) {
    throw new TocsinError(
      'TCN_POSTGRES_UNSUITABLE',
      `Postgres user "${standing?.me ?? ''}" lacks the privilege CREATE on database "${standing?.database ?? ''}", which is ` +
        `needed to create the schema "${schema}"`,
    );
  }
  await client.query(`CREATE SCHEMA ${escapeIdentifier(schema)}`);
}

async function migrate(options: PrepareOptions): Promise<void> {
  const { connectionString, ...extra } = clientConfig(options);
  const dataSource = new DataSource({
    type: 'postgres',
    ...(connectionString === undefined ? {} : { url: connectionString }),
    schema: options.schema,
    migrations: [...options.migrations],
    migrationsTableName: 'migration',
    installExtensions: false,
    logger: SILENT_LOGGER,
    // TypeORM reads the list of migrations on a second connection while the first is in use.
    poolSize: 2,
    poolErrorHandler: () => undefined,
    extra,
  });
  await dataSource.initialize();
  try {
    // Each in a transaction of its own: a migration that fails leaves those before it in force.
    await dataSource.runMigrations({ transaction: 'each' });
  } catch (error) {
    // A migration that throws by itself must not look like the driver's failure.
    if (error instanceof QueryFailedError) throw error;
    throw new TocsinError('TCN_INTERNAL', `a migration of schema "${options.schema}" failed`, { cause: error });
  } finally {
    await dataSource.destroy();
  }
}

function explain(options: PrepareOptions, error: unknown): unknown {
  if (sqlState(error) === SQLSTATE.insufficientPrivilege) {
    const reason = error instanceof Error ? error.message : String(error);
    return new TocsinError(
      'TCN_POSTGRES_UNSUITABLE',
      `the Postgres user lacks a privilege that the migrations of schema "${options.schema}" need: ${reason}`,
      { cause: error },
    );
  }
  return isTocsinError(error) || !isDriverLoss(error) ? error : translate(error);
}
