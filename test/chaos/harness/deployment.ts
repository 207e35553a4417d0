import { freePort } from '@tocsin/embedded';
import { eventually, ProcessGroup, type TestProcess } from '@tocsin/testing';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Topology } from '../../harness/installation.js';
import type { Kill } from './judge.js';
import { patienceMs } from './patience.js';
import { Servers } from './servers.js';

/** The four services, in the order in which they are started. */
export const SERVICES = ['event-recorder', 'subscription-registry', 'delivery', 'health-probe'] as const;
export type Service = (typeof SERVICES)[number];

const ROOT = resolve(import.meta.dirname, '../../..');
const COMMAND = join(ROOT, 'apps/tocsin/dist/main.js');
const API_KEY = 'chaos-key-0123456789-0123456789-0123456789';
const MASTER_KEY = Buffer.alloc(32, 11).toString('base64');

/**
 * How long an outcome may take from the receiver's answer to the ledger: what was answered later than this before a kill may repeat. Longer
 * on a machine that is too busy, where a replica that gets no processor for three seconds is taken for dead, and rightly so.
 */
const LEDGER_MS = patienceMs(200);
/** How long a request may lie in the receiver's socket: what is read later than this after a kill was not sent before it. */
const UNREAD_MS = patienceMs(500);

/** Who answers which path where each service is a process of its own. */
const OWNERS: readonly (readonly [RegExp, Service])[] = [
  [/^\/v1\/(?:events|log)/, 'event-recorder'],
  [/^\/v1\/deliveries/, 'delivery'],
];

/** What Tocsin is made of this time. */
export interface DeploymentOptions {
  topology: Topology;
  /** Replicas of every service; distributed only. */
  replicas?: number;
  /** Variables of every process. */
  env?: Readonly<Record<string, string>>;
  /** The address of NATS one replica is given, where it is not NATS' own. */
  natsFor?: (url: string, replica: number) => Promise<string>;
}

/** One Tocsin, run as its users run it, of which any part can be killed. What was killed, and when, is on record. */
export class Deployment {
  /** What could make a delivery repeat, in order. */
  readonly kills: Kill[] = [];
  readonly servers: Servers;
  readonly #processes = new ProcessGroup();
  readonly #ports = new Map<string, number>();
  readonly #running = new Map<string, TestProcess>();
  readonly #all: TestProcess[] = [];
  #declarations = '';
  /** What `tocsin apply` has said, signing secrets among it; the standalone process says it itself. */
  applied = '';

  private constructor(
    readonly options: DeploymentOptions,
    /** Everything it keeps on disk is below. */
    readonly folder: string,
  ) {
    this.servers = new Servers(folder, this.kills, LEDGER_MS);
  }

  /** A new one, not yet started. */
  static async create(options: DeploymentOptions): Promise<Deployment> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-chaos-'));
    // The database's own user has to get through.
    await chmod(folder, 0o711);
    return new Deployment(options, folder);
  }

  get standalone(): boolean {
    return this.options.topology === 'standalone';
  }

  /** Folder of a server's data, also in the standalone process. */
  folderOf(server: 'postgres' | 'nats'): string {
    return join(this.folder, this.standalone ? `data/${server}` : server);
  }

  /** What its processes have written, also those that are dead, by the name of a file. */
  outputs(): Record<string, string> {
    return Object.fromEntries(this.#all.map(({ name, output }, index) => [`${index + 1} ${name}.log`, output]));
  }

  /** Starts everything that does not run, declares what is in `tocsin.yaml`, and waits until all of it is ready. */
  async start(declarations = this.#declarations): Promise<void> {
    this.#declarations = declarations;
    await writeFile(join(this.folder, 'tocsin.yaml'), declarations);
    if (this.standalone) {
      const tocsin = await this.#spawn('tocsin', [COMMAND, 'up'], { TOCSIN_DATA_DIR: join(this.folder, 'data') });
      // Behind what was declared and the secrets, which come line by line.
      await tocsin.waitForLine(/^Watch something/, patienceMs(60_000));
      return;
    }
    await this.servers.start();
    for (const service of SERVICES) {
      await Promise.all(this.replicas.map((replica) => this.startService(service, replica)));
    }
    const { code, output } = await this.command(['apply', '--file', 'tocsin.yaml'], '/v1/targets');
    if (code !== 0) throw new Error(`tocsin apply: ${output}`);
    this.applied += output;
  }

  /** Numbers of the replicas, from 1. */
  get replicas(): number[] {
    return Array.from({ length: this.options.replicas ?? 1 }, (_, index) => index + 1);
  }

  /** Starts one service's replica unless it runs. */
  async startService(service: Service, replica = 1): Promise<void> {
    const name = `${service} ${replica}`;
    if (this.#running.has(name)) return;
    const natsUrl = this.servers.natsUrl;
    await this.#spawn(name, [join(ROOT, `apps/${service}/dist/main.js`)], {
      TOCSIN_POSTGRES_URL: this.servers.postgresUrl,
      TOCSIN_NATS_URL: (await this.options.natsFor?.(natsUrl, replica)) ?? natsUrl,
      TOCSIN_MASTER_KEY: MASTER_KEY,
      TOCSIN_EGRESS_ALLOW: 'public,private,loopback',
      TOCSIN_OBSERVER_ID: `observer-${replica}`,
    });
  }

  /** kill -9 of a replica of a service. */
  async kill9(service: Service, replica = 1): Promise<void> {
    await this.#strike([this.#take(`${service} ${replica}`)], service === 'delivery');
  }

  /** kill -9 of every process of Tocsin in one go; of its servers as well, or they are left to what becomes of them. */
  async kill9All(servers: boolean): Promise<void> {
    const children = [...this.#running.values()];
    this.#running.clear();
    if (servers && !this.standalone) this.servers.kill9();
    await this.#strike(children, true);
    if (!servers) return;
    await Promise.all(children.map((child) => child.kill9Tree()));
    // What outlives a killed process by design ends by itself; a start that comes too early must cope, and is not what is asked here.
    await this.#processes.expectNoLeftovers(patienceMs(20_000));
  }

  /** Ends everything, whatever it is at. */
  async end(): Promise<void> {
    this.servers.kill9();
    this.#running.clear();
    await this.#processes.kill9();
    await this.servers.gone();
    await this.#processes.expectNoLeftovers(patienceMs(20_000));
  }

  /** Removes its folder. Only after its end. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** A process by the service it runs; in the standalone topology the one there is. */
  process(service: Service, replica = 1): TestProcess {
    const child = this.#running.get(this.standalone ? 'tocsin' : `${service} ${replica}`);
    if (child === undefined) throw new Error(`${service} ${replica} does not run`);
    return child;
  }

  /** Every process that runs, by its name. */
  get running(): ReadonlyMap<string, TestProcess> {
    return this.#running;
  }

  /** Addresses of the processes that answer a path. */
  urls(path: string): string[] {
    const owner = OWNERS.find(([pattern]) => pattern.test(path))?.[1] ?? 'subscription-registry';
    const names = [...this.#running.keys()].filter((name) => this.standalone || name.startsWith(owner));
    return names.map((name) => `http://127.0.0.1:${this.#ports.get(name)}${path}`);
  }

  /** Where the metrics of each process are. */
  get metricsUrls(): string[] {
    return [...this.#running.keys()].map((name) => `http://127.0.0.1:${this.#ports.get(name)}/metrics`);
  }

  /**
   * One call of the API at whichever replica answers.
   * @throws Error where none does within a few seconds, or what it says is no success
   */
  async call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
    let failure: unknown = new Error('nobody runs who could answer');
    for (const url of this.urls(path)) {
      try {
        const response = await fetch(url, {
          method,
          headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json', ...headers },
          signal: AbortSignal.timeout(patienceMs(5_000)),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        if (response.ok) return JSON.parse(text === '' ? 'null' : text) as T;
        failure = new Error(`${method} ${path}: ${response.status} ${text}`);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Runs a command of `tocsin` as a user would, at the process that answers `path`, and waits for its end; gives what it wrote. */
  async command(args: readonly string[], path: string): Promise<{ code: number | null; output: string }> {
    const url = await eventually(() => this.urls('')[0] && this.urls(path)[0], { what: `somebody answers ${path}` });
    const child = await this.#processes.spawn(`tocsin ${args.join(' ')}`, process.execPath, [COMMAND, ...args], {
      cwd: this.folder,
      env: { TOCSIN_URL: new URL(url).origin, TOCSIN_API_KEY: API_KEY, NO_COLOR: '1' },
    });
    const { code } = await child.exited;
    return { code, output: child.output };
  }

  async #spawn(name: string, args: string[], env: Record<string, string>): Promise<TestProcess> {
    const port = this.#ports.get(name) ?? (await freePort());
    this.#ports.set(name, port);
    const child = await this.#processes.spawn(name, process.execPath, args, {
      cwd: this.folder,
      env: {
        TOCSIN_API_KEY: API_KEY,
        TOCSIN_HTTP_PORT: String(port),
        TOCSIN_GRPC_PORT: '0',
        TOCSIN_LOG_FORMAT: 'json',
        ...env,
        ...this.options.env,
      },
      ready: { url: `http://127.0.0.1:${port}/readyz` },
      readyTimeoutMs: patienceMs(90_000),
    });
    this.#running.set(name, child);
    this.#all.push(child);
    return child;
  }

  #take(name: string): TestProcess {
    const child = this.#running.get(name);
    if (child === undefined) throw new Error(`${name} does not run`);
    this.#running.delete(name);
    return child;
  }

  /** SIGKILL at one moment, which is put down where deliveries may repeat by it. */
  async #strike(children: readonly TestProcess[], noted: boolean): Promise<void> {
    // Looking for what they have started takes its time; the moment that counts is that of the signal.
    await Promise.all(children.map((child) => child.note()));
    const atMs = performance.now();
    for (const { pid, running } of children) if (running) process.kill(pid, 'SIGKILL');
    const what = `kill -9 of ${children.map(({ name }) => name).join(', ')}`;
    if (noted) this.kills.push({ what, atMs, fromMs: atMs - LEDGER_MS, untilMs: atMs + UNREAD_MS });
    await Promise.all(children.map(({ exited }) => exited));
  }
}
