import { TocsinError, type ErrorCode } from '@tocsin/domain';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { takeLock, type FileLock } from './data-dir-lock.js';
import { startGuardian } from './guardian.js';
import { rotateLog, tailOf } from './log-file.js';
import { identify, isRunning, signal, waitUntilGone, type ProcessIdentity } from './process-identity.js';

/** How a server ended. */
export interface ServerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** True after `stop()` or `kill9()`; false when it fell by itself. */
  expected: boolean;
}

/** What one kind of server needs. */
export interface ServerKind {
  /** For messages: `Postgres`, `nats-server`. */
  name: string;
  /** Code of the error when it does not start. */
  failure: ErrorCode;
  /** Signals of a stop, the gentlest first; SIGKILL follows the last. */
  stopSignals: readonly NodeJS.Signals[];
  /** Milliseconds each signal gets before the next. */
  patienceMs: number;
}

/** One run of a server program. */
export interface Launch {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** True once it takes connections. Asked again and again, every few milliseconds. */
  isReady: (pid: number) => Promise<boolean>;
  /** Milliseconds until a server that is alive but not ready is given up. */
  readyTimeoutMs: number;
}

// A data folder whose server is being stopped or was killed by this process may be taken again by the same process at once.
const ending = new Map<string, Promise<unknown>>();

const POLL_MS = 10;

/** A data folder this process alone may use, with at most one server running in it. */
export class ServerHome {
  private constructor(
    readonly dir: string,
    private readonly kind: ServerKind,
    private readonly lock: FileLock,
  ) {}

  /**
   * Takes the folder, made if needed, and stops a server that an earlier, killed process may have left in it.
   * @throws TocsinError TCN_DATA_DIR if another living process uses it, or it cannot be written.
   */
  static async take(dir: string, kind: ServerKind): Promise<ServerHome> {
    await ending.get(dir);
    const lock = await mkdir(dir, { recursive: true })
      .then(() => takeLock(join(dir, 'lock')))
      .catch((error: unknown) => {
        throw new TocsinError('TCN_DATA_DIR', `${dir} cannot be used as data directory: ${String(error)}`, {
          cause: error,
        });
      });
    if ('heldBy' in lock) {
      throw new TocsinError(
        'TCN_DATA_DIR',
        `${dir} is in use by process ${lock.heldBy}; stop that one, or choose another data directory`,
      );
    }
    const home = new ServerHome(dir, kind, lock);
    try {
      await home.stopOrphan();
    } catch (error) {
      await home.leave();
      throw error;
    }
    return home;
  }

  get logPath(): string {
    return join(this.dir, 'server.log');
  }

  private get recordPath(): string {
    return join(this.dir, 'server.json');
  }

  /** Gives the folder up. Only when no server of ours runs in it. */
  async leave(): Promise<void> {
    await rm(this.recordPath, { force: true });
    await this.lock.release();
  }

  /**
   * Starts the server and waits until it is ready. It ends with this process at the latest.
   * @throws TocsinError with the kind's code, and the last lines of the server's log.
   */
  async launch(launch: Launch): Promise<RunningServer> {
    const log = await rotateLog(this.logPath);
    const guardian = startGuardian(this.kind.stopSignals[0] ?? 'SIGTERM', this.kind.patienceMs);
    let child: ChildProcess;
    let up = false;
    try {
      child = spawn(launch.command, launch.args, {
        env: launch.env,
        cwd: launch.cwd ?? this.dir,
        stdio: ['ignore', log.fd, log.fd],
        // A session of its own: a Ctrl-C in the terminal reaches us alone, and we stop servers after what uses them.
        detached: true,
        ...(launch.uid === undefined ? {} : { uid: launch.uid, gid: launch.gid }),
      });
    } finally {
      await log.close();
    }
    const server = new RunningServer(child, this.kind, async () => {
      guardian.release();
      // A server that never came up leaves the folder in the hands of whoever tried; he may try again.
      if (up) await this.leave();
      else await rm(this.recordPath, { force: true });
    });
    ending.delete(this.dir);
    server.onEnding = (ended) => {
      const cleared = ended.finally(() => {
        if (ending.get(this.dir) === cleared) ending.delete(this.dir);
      });
      ending.set(this.dir, cleared);
    };
    try {
      if (child.pid !== undefined) {
        guardian.watch(child.pid);
        const identity = await identify(child.pid);
        if (identity !== undefined) await writeFile(this.recordPath, JSON.stringify(identity), { mode: 0o600 });
      }
      await server.untilReady(launch);
      up = true;
    } catch (error) {
      await server.stop();
      const tail = await tailOf(this.logPath);
      throw new TocsinError(
        this.kind.failure,
        `${this.kind.name} did not start: ${error instanceof Error ? error.message : String(error)}` +
          (tail === '' ? '' : `\nLast lines of ${this.logPath}:\n${tail}`),
        { cause: error },
      );
    }
    child.unref();
    return server;
  }

  private async stopOrphan(): Promise<void> {
    const text = await readFile(this.recordPath, 'utf8').catch(() => undefined);
    if (text === undefined) return;
    let orphan: ProcessIdentity;
    try {
      orphan = JSON.parse(text) as ProcessIdentity;
    } catch {
      return;
    }
    for (const name of [...this.kind.stopSignals, 'SIGKILL' as const]) {
      if (!(await isRunning(orphan))) return;
      signal(orphan.pid, name);
      if (await waitUntilGone(orphan, this.kind.patienceMs)) return;
    }
    throw new TocsinError(
      'TCN_DATA_DIR',
      `${this.dir}: process ${orphan.pid}, a ${this.kind.name} left by an earlier run, cannot be stopped`,
    );
  }
}

/** A server that is up, a child of this process. */
export class RunningServer {
  /** Settles when the server has ended and its folder is free again. */
  readonly exited: Promise<ServerExit>;
  /** Told once an end has been asked for. */
  onEnding: (ended: Promise<unknown>) => void = () => {};
  private spawnError: Error | undefined;
  private gone = false;
  private expected = false;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly child: ChildProcess,
    private readonly kind: ServerKind,
    cleanUp: () => Promise<void>,
  ) {
    this.exited = new Promise((resolve, reject) => {
      const settle = (code: number | null, name: NodeJS.Signals | null) => {
        if (this.gone) return;
        this.gone = true;
        cleanUp().then(() => resolve({ code, signal: name, expected: this.expected }), reject);
      };
      child.once('exit', settle);
      child.once('error', (error) => {
        this.spawnError = error;
        if (child.pid === undefined) settle(null, null);
      });
    });
    // Whoever waits gets the failure to clean up; a server nobody waits for must not end the program by it.
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until the launch says it is ready; rejects when the server has ended or the time is over. */
  async untilReady(launch: Launch): Promise<void> {
    const end = performance.now() + launch.readyTimeoutMs;
    while (!this.gone) {
      if ((await launch.isReady(this.pid)) && !this.gone) return;
      if (performance.now() > end) throw new Error(`it was not ready after ${launch.readyTimeoutMs} ms`);
      await delay(POLL_MS);
    }
    if (this.spawnError !== undefined) throw this.spawnError;
    throw new Error(`it ended with ${this.child.signalCode ?? `exit code ${this.child.exitCode}`}`);
  }

  /** Stops it gently, then less so; settles when it has ended. May be called again. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce();
    return this.stopping;
  }

  /** Kills it as a crash would; `exited` settles soon after. */
  kill9(): void {
    this.expect();
    if (!this.gone) signal(this.pid, 'SIGKILL');
  }

  private async stopOnce(): Promise<void> {
    this.expect();
    for (const name of [...this.kind.stopSignals, 'SIGKILL' as const]) {
      if (this.gone) break;
      signal(this.pid, name);
      const patience = new AbortController();
      await Promise.race([
        this.exited,
        delay(this.kind.patienceMs, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
    }
    await this.exited;
  }

  private expect(): void {
    this.expected = true;
    if (!this.gone) this.child.ref();
    this.onEnding(this.exited);
  }
}
