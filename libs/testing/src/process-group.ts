import { identify, isRunning, type ProcessIdentity } from '@tocsin/embedded';
import { execFile, spawn as spawnChild, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';

/** How to run one process. */
export interface SpawnOptions {
  /** Set over this process's own environment; `undefined` takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** What shows that it is ready: an address that answers 2xx, or a line of its output. Without it, being started is enough. */
  ready?: { url: string } | { line: RegExp };
  /** Milliseconds until a process that is not ready is given up; default 30 000. */
  readyTimeoutMs?: number;
}

/** How a process ended. */
export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const OUTPUT_TAIL = 4_000;

/** One running process under test. */
export class TestProcess {
  /** Settles when it has ended. */
  readonly exited: Promise<ProcessExit>;
  private text = '';
  private ended: ProcessExit | undefined;
  private spawnError: Error | undefined;
  private readonly seen = new Map<string, ProcessIdentity>();

  constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    const collect = (chunk: Buffer) => (this.text += chunk.toString());
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    this.exited = new Promise((resolve) => {
      const end = (exit: ProcessExit) => resolve((this.ended ??= exit));
      child.once('close', (code, signal) => end({ code, signal }));
      child.once('exit', (code, signal) => {
        // Its output may be held open by children that outlive it.
        setTimeout(() => end({ code, signal }), 500).unref();
        this.ended ??= { code, signal };
      });
      child.once('error', (error) => {
        this.spawnError = error;
        end({ code: null, signal: null });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Everything it has written so far, standard output and standard error together. */
  get output(): string {
    return this.text;
  }

  get running(): boolean {
    return this.ended === undefined;
  }

  /** Waits for a line of its output that matches; fails at once when the process has ended without it. */
  async waitForLine(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      if (!this.running) await this.exited;
      const match = firstMatch(pattern, this.text);
      if (match !== undefined) return match;
      if (!this.running) throw this.failure(new Error(`it has ended with ${this.howEnded()}`));
      if (performance.now() > end)
        throw this.failure(new Error(`no line like ${String(pattern)} within ${timeoutMs} ms`));
      await delay(20);
    }
  }

  /** Waits until the address answers 2xx. */
  async waitForUrl(url: string, timeoutMs = 30_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const status = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
        async (response) => {
          await response.body?.cancel();
          return response.ok ? 'ok' : `status ${response.status}`;
        },
        (error: unknown) => String(error),
      );
      if (status === 'ok') return;
      if (!this.running) await this.exited;
      if (!this.running) throw this.failure(new Error(`it has ended with ${this.howEnded()}`));
      if (performance.now() > end)
        throw this.failure(new Error(`${url} is not ready after ${timeoutMs} ms: ${status}`));
      await delay(25);
    }
  }

  /** Asks it to end, and waits until it has; kills it after `timeoutMs` and says so by an error. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 20_000): Promise<ProcessExit> {
    await this.note();
    if (this.running) this.child.kill(signal);
    const patience = new AbortController();
    const late = delay(timeoutMs, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const);
    const outcome = await Promise.race([this.exited, late]);
    patience.abort();
    if (outcome !== 'late') return outcome;
    await this.kill9Tree();
    throw this.failure(new Error(`it did not end within ${timeoutMs} ms of ${signal}`));
  }

  /** kill -9 of this process alone; what it started lives on, or not. */
  async kill9(): Promise<void> {
    await this.note();
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** kill -9 of this process and of everything it has started, in one go. */
  async kill9Tree(): Promise<void> {
    await this.note();
    for (const identity of this.seen.values()) if (await isRunning(identity)) killQuietly(identity.pid);
    await this.exited;
  }

  /** Remembers every descendant there is now, so that `leftovers` can tell later which still live. */
  async note(): Promise<void> {
    // The number of a process that has ended, or never began, is nobody's or somebody else's.
    if (!this.running || this.child.pid === undefined) return;
    for (const pid of [this.pid, ...(await descendantsOf(this.pid))]) {
      const identity = await identify(pid);
      if (identity !== undefined) this.seen.set(`${pid}/${identity.started}`, identity);
    }
  }

  /** Those of the remembered processes that still run. */
  async leftovers(): Promise<number[]> {
    const running = await Promise.all(
      [...this.seen.values()].map(async (identity) => ((await isRunning(identity)) ? [identity.pid] : [])),
    );
    return running.flat();
  }

  private howEnded(): string {
    return this.spawnError?.message ?? this.ended?.signal ?? `exit code ${this.ended?.code ?? 'unknown'}`;
  }

  private failure(cause: unknown): Error {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new Error(`${this.name}: ${reason}\nIts output:\n${this.text.slice(-OUTPUT_TAIL)}`, { cause });
  }
}

/** Processes of one test, which end with it. */
export class ProcessGroup {
  private readonly processes: TestProcess[] = [];

  /** Starts a process and waits until it is ready. */
  async spawn(
    name: string,
    command: string,
    args: readonly string[] = [],
    options: SpawnOptions = {},
  ): Promise<TestProcess> {
    const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
    for (const [key, value] of Object.entries(env)) if (value === undefined) delete env[key];
    const child = new TestProcess(
      name,
      spawnChild(command, args, { env, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    this.processes.push(child);
    const { ready, readyTimeoutMs } = options;
    if (ready !== undefined && 'url' in ready) await child.waitForUrl(ready.url, readyTimeoutMs);
    if (ready !== undefined && 'line' in ready) await child.waitForLine(ready.line, readyTimeoutMs ?? 30_000);
    await child.note();
    return child;
  }

  /** Asks all to end, the last started first, and waits. */
  async stop(): Promise<void> {
    for (const child of [...this.processes].reverse()) if (child.running) await child.stop();
  }

  /** kill -9 of every process and all they have started. For `afterEach`: never leaves anything behind. */
  async kill9(): Promise<void> {
    await Promise.all(this.processes.map((child) => child.kill9Tree()));
  }

  /** Fails if anything these processes have started still runs `timeoutMs` from now. */
  async expectNoLeftovers(timeoutMs = 20_000): Promise<void> {
    await eventually(
      async () => {
        const left = (await Promise.all(this.processes.map((child) => child.leftovers()))).flat();
        if (left.length > 0) throw new Error(await describeProcesses(left));
        return true;
      },
      { what: 'every process has ended', timeoutMs, intervalMs: 50 },
    );
  }
}

function firstMatch(pattern: RegExp, text: string): RegExpExecArray | undefined {
  for (const line of text.split('\n')) {
    const match = pattern.exec(line);
    if (match !== null) return match;
  }
  return undefined;
}

async function descendantsOf(root: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  const children = new Map<number, number[]>();
  for (const line of stdout.trim().split('\n')) {
    const [pid = 0, ppid = 0] = line.trim().split(/\s+/).map(Number);
    children.set(ppid, [...(children.get(ppid) ?? []), pid]);
  }
  const found: number[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const below = children.get(pid) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

async function describeProcesses(pids: readonly number[]): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '-p', pids.join(',')]).catch(() => ({
    stdout: pids.join(', '),
  }));
  return `still running:\n${stdout.trimEnd()}`;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
