import { isTocsinError, TocsinError } from '@tocsin/domain';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock, type FileLock } from './file-lock.js';
import { startGuardian } from './guardian.js';
import { rotateLog, tailOf } from './log-file.js';
import { identify, isRunning, signal, waitUntilGone, type ProcessIdentity } from './process-identity.js';
import { readIfThere } from './read-if-there.js';
import { RunningServer, type Launch, type ServerKind } from './running-server.js';

// A data folder whose server is being stopped or was killed by this process may be taken again by the same process at once.
const ending = new Map<string, Promise<unknown>>();

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
        if (isTocsinError(error)) throw error;
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
      await lock.release();
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
    let child: ChildProcess | undefined;
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
      if (child === undefined) guardian.release();
    }
    const server = new RunningServer(child, this.kind, async () => {
      guardian.release();
      // A server that never came up leaves the folder in the hands of whoever tried; he may try again.
      if (up) await this.leave();
      else await rm(this.recordPath, { force: true });
    });
    await log.close();
    this.keepEnding(server);
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

  private keepEnding(server: RunningServer): void {
    ending.delete(this.dir);
    server.onEnding = (ended) => {
      const cleared = ended.finally(() => {
        if (ending.get(this.dir) === cleared) ending.delete(this.dir);
      });
      ending.set(this.dir, cleared);
    };
  }

  private async stopOrphan(): Promise<void> {
    const text = await readIfThere(this.recordPath);
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
