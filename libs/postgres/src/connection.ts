import { TocsinError } from '@tocsin/domain';
import { Client, type ClientConfig } from 'pg';
import { sqlState } from './errors.js';
import { TYPE_PARSERS } from './type-parsers.js';

/** How long a new connection may take, TCP, TLS and login together. A healthy server answers in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/** First keepalive probe on an idle connection: soon enough that a silent cut is noticed before anybody waits on it. */
const KEEPALIVE_INITIAL_DELAY_MS = 5_000;

/** Server settings a connection starts with, as `postgres -c name=value` takes them. */
export type StartupSettings = Readonly<Record<string, string | number>>;

/** What every connection of this library has in common. */
export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database`, with the parameters `pg` knows. */
  url: string;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
}

/**
 * Options of one `pg` connection.
 * @throws {@link TocsinError} `TCN_CONFIG` if the URL is not a postgres URL
 */
export function clientConfig(options: ConnectionOptions, settings: StartupSettings = {}): ClientConfig {
  return {
    connectionString: withSettings(options.url, settings),
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_INITIAL_DELAY_MS,
    types: TYPE_PARSERS,
  };
}

/** `pg` lets the URL win over its other options, so settings go into the URL, after those that stand there already. */
function withSettings(url: string, settings: StartupSettings): string {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:')) {
    throw new TocsinError('TCN_CONFIG', 'the Postgres URL must look like postgres://user:password@host:port/database');
  }
  // Times are exchanged in UTC and in ISO form whatever the server's or the user's own defaults are.
  const all: StartupSettings = { TimeZone: 'UTC', DateStyle: 'ISO', ...settings };
  const spelled = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
  parsed.searchParams.set('options', [parsed.searchParams.get('options') ?? '', ...spelled].join(' ').trim());
  return parsed.href;
}

/**
 * Opens one connection outside every pool.
 * @throws {@link TocsinError} `TCN_POSTGRES_UNREACHABLE` naming host, port and database, never the password
 */
export async function connect(options: ConnectionOptions, settings: StartupSettings = {}): Promise<Client> {
  const client = new Client(clientConfig(options, settings));
  // Without a listener the loss of an idle connection would end the process; whoever holds the client adds its own.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreachable(options, error);
  }
}

/** The error for a server that cannot be reached or does not let us in. */
export function unreachable(options: ConnectionOptions, cause: unknown): TocsinError {
  const state = sqlState(cause);
  const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
  const detail = `Postgres at ${serverName(options)} ${state === undefined ? 'does not answer' : 'refuses'}: ${reason}`;
  return new TocsinError('TCN_POSTGRES_UNREACHABLE', detail, { cause });
}

/** `host:port/database` as it will be dialled; the URL's gaps are filled by `PGHOST` and its like, as libpq does. */
export function serverName(options: ConnectionOptions): string {
  const { host, port, database } = new Client(clientConfig(options));
  return `${host}:${port}/${database ?? ''}`;
}

/** Dual-stack dialling fails with an AggregateError that has no text of its own. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join('; ');
  }
  return error.message;
}
