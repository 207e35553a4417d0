import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';
import { launchOnPort } from './launch-on-port.js';
import { openCluster, POSTGRES_NAME } from './postgres-cluster.js';
import { postgresBinaries } from './postgres-binaries.js';
import { clearStalePidFile, isReady } from './postmaster-pid.js';
import { commandAs, unprivilegedUser } from './run-as.js';
import type { ServerExit, ServerKind } from './running-server.js';
import { ServerHome } from './server-home.js';

/** How to run the embedded Postgres. */
export interface StartPostgresOptions {
  /** Folder of its own: holds the data, the password (0600), the logs. Made if missing. */
  dataDir: string;
  /** Port on 127.0.0.1; a free one if not given. */
  port?: number;
  /** `full` (default): a commit is on disk when it returns. `fast`: it may be lost when the machine (not the server) fails; for tests. */
  durability?: 'full' | 'fast';
  /** Further server settings, e.g. `{ max_connections: '50' }`. */
  settings?: Readonly<Record<string, string>>;
  /** Told, one line each, what takes time. */
  log?: (line: string) => void;
}

/** A Postgres that runs as a child of this process. */
export interface PostgresServer {
  /** Connection string of the superuser, password in it. */
  url: string;
  port: number;
  /** Number of the postmaster. */
  pid: number;
  /** Settles when the server has ended, by whatever cause. */
  exited: Promise<ServerExit>;
  /** Shuts down cleanly: open transactions are rolled back, everything is written. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash; for tests. */
  kill9(): void;
}

const KIND: ServerKind = {
  name: 'Postgres',
  failure: 'TCN_POSTGRES_UNREACHABLE',
  // "Fast" shutdown: sessions are ended, then a checkpoint is written. "Immediate": recovery at the next start does the rest.
  stopSignals: ['SIGINT', 'SIGQUIT'],
  // A checkpoint of a busy server on a slow disk takes seconds.
  patienceMs: 15_000,
};

// Recovery after a crash reads the whole log since the last checkpoint: seconds, on a slow machine many.
const READY_TIMEOUT_MS = 120_000;

/**
 * Starts a real PostgreSQL 18 on 127.0.0.1, with a database `tocsin`; the first start makes the cluster. It ends with this process, also
 * when this process is killed.
 * @throws TocsinError TCN_SERVER_NOT_FOUND (no binaries for this platform), TCN_DATA_DIR (folder in use, not usable, other version),
 *   TCN_PORT_IN_USE, TCN_POSTGRES_UNREACHABLE (it did not start; with the last lines of its log).
 */
export async function startPostgres(options: StartPostgresOptions): Promise<PostgresServer> {
  const dir = resolve(options.dataDir);
  const binaries = postgresBinaries();
  const runAs = await unprivilegedUser(dir);
  const durable = options.durability !== 'fast';
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  const home = await ServerHome.take(dir, KIND);
  try {
    // The server's own user must be able to walk through; what is secret in here is 0600 or belongs to it.
    if (runAs !== undefined) await chmod(dir, 0o711);
    const cluster = await openCluster({ home: dir, binaries, runAs, env, durable });
    await clearStalePidFile(cluster.dataDir);
    const { server, port } = await launchOnPort(options.port, async (candidate) => {
      const args = ['-D', cluster.dataDir, ...settingsOf(candidate, durable, options.settings)];
      return home.launch({
        ...(await commandAs(runAs, binaries.postgres, args, [binaries.postgres, cluster.dataDir])),
        env,
        cwd: cluster.dataDir,
        isReady: (pid) => isReady(cluster.dataDir, pid),
        readyTimeoutMs: READY_TIMEOUT_MS,
      });
    });
    return {
      url: `postgres://${POSTGRES_NAME}:${cluster.password}@127.0.0.1:${port}/${POSTGRES_NAME}`,
      port,
      pid: server.pid,
      exited: server.exited,
      stop: () => server.stop(),
      kill9: () => server.kill9(),
    };
  } catch (error) {
    await home.leave();
    throw error;
  }
}

/** Settings as command line: they hold whatever the files in the data directory say. */
function settingsOf(port: number, durable: boolean, extra: Readonly<Record<string, string>> = {}): string[] {
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    // No socket file: its path may be too long (107 bytes), and its folder is another thing to protect.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    // One machine, no replicas: the smallest write-ahead log, and no processes for them.
    wal_level: 'minimal',
    max_wal_senders: '0',
    // Segments once made are used again: to make one of 16 MB anew takes some 20 ms, in which nobody commits.
    min_wal_size: '1GB',
    // Changed pages reach the disk soon, and a few at a time. What stays in the page cache for 30 s Linux writes by itself, all at once, and
    // under load commits then stand still for 0.3 s.
    bgwriter_delay: '50ms',
    bgwriter_lru_maxpages: '1000',
    bgwriter_lru_multiplier: '10',
    backend_flush_after: '256kB',
    // Short statements only: compiling them costs more than it saves.
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %a ',
    fsync: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    // Also without fsync: a commit has then reached the operating system, and survives a kill -9 of the server.
    synchronous_commit: 'on',
    ...extra,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
