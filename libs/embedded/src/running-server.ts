import type { ErrorCode } from '@tocsin/domain';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { signal } from './process-identity.js';

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

const POLL_MS = 10;

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
