import { type NatsServer, type PostgresServer, freePort, startNats, startPostgres } from '@tocsin/embedded';
import { ProcessGroup, seedCluster, type TestProcess } from '@tocsin/testing';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** All services in one process with embedded servers, or each its own process against servers that stand beside them. */
export type Topology = 'standalone' | 'distributed';

export const TOPOLOGIES: readonly Topology[] = ['standalone', 'distributed'];

const ROOT = resolve(import.meta.dirname, '../..');
const API_KEY = 'e2e-key-0123456789-0123456789-0123456789';
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');
const SERVICES = ['event-recorder', 'subscription-registry', 'delivery', 'health-probe'] as const;
type Service = (typeof SERVICES)[number];

/** Processes that serve gRPC. */
const GRPC: readonly string[] = ['tocsin', 'event-recorder', 'subscription-registry'];

/** Which service answers a path in the distributed topology. */
const OWNERS: readonly (readonly [RegExp, Service])[] = [
  [/^\/v1\/(?:events|fleet|withheld|noise)/, 'event-recorder'],
  [/^\/v1\/(?:deliveries|explain|promises)/, 'delivery'],
  [/^\/v1\//, 'subscription-registry'],
];

/** An answer of the API. */
export interface ApiAnswer {
  status: number;
  headers: Headers;
  // Tests look into answers of every shape; a wrong guess fails the test.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** One Tocsin as its users run it: real processes, started, stopped, killed and started again on the same data. */
export class Installation {
  readonly #processes = new ProcessGroup();
  readonly #ports = new Map<string, number>();
  readonly #running = new Map<string, TestProcess>();
  #postgres: PostgresServer | undefined;
  #nats: NatsServer | undefined;

  private constructor(
    readonly topology: Topology,
    /** Everything it keeps on disk is below. */
    readonly folder: string,
    private readonly env: Record<string, string>,
  ) {}

  /** A new one, not yet started. */
  static async create(topology: Topology, env: Record<string, string> = {}): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-e2e-'));
    await seedCluster(join(folder, topology === 'standalone' ? 'data/postgres' : 'postgres'));
    return new Installation(topology, folder, env);
  }

  get apiKey(): string {
    return API_KEY;
  }

  /** Folder of NATS: configuration, JetStream store. */
  get natsFolder(): string {
    return this.topology === 'standalone' ? join(this.folder, 'data/nats') : join(this.folder, 'nats');
  }

  /** What its processes have written. */
  get output(): string {
    return [...this.#running.values()].map((one) => `--- ${one.name}\n${one.output}`).join('\n');
  }

  /** Starts everything and waits until all of it is ready. */
  async start(): Promise<void> {
    await (this.topology === 'standalone' ? this.#startStandalone() : this.#startDistributed());
  }

  /** SIGTERM, as Ctrl-C does; fails if a process does not end well. */
  async stop(): Promise<void> {
    for (const child of [...this.#running.values()].reverse()) {
      const exit = await child.stop();
      if (exit.code !== 0) throw new Error(`${child.name} ended with ${exit.code ?? exit.signal}:\n${child.output}`);
    }
    this.#running.clear();
    await this.#nats?.stop();
    await this.#postgres?.stop();
    this.#nats = this.#postgres = undefined;
    await this.#processes.expectNoLeftovers();
  }

  /** kill -9 of every process there is, servers included, in one go. */
  async kill9(): Promise<void> {
    this.#postgres?.kill9();
    this.#nats?.kill9();
    await this.#processes.kill9();
    await Promise.all([this.#postgres?.exited, this.#nats?.exited]);
    this.#nats = this.#postgres = undefined;
    this.#running.clear();
    await this.#processes.expectNoLeftovers();
  }

  /** A service's process; in the standalone topology the one there is. */
  process(service: Service): TestProcess {
    const child = this.#running.get(this.topology === 'standalone' ? 'tocsin' : service);
    if (child === undefined) throw new Error(`${service} is not running`);
    return child;
  }

  /** Starts one more observer beside the one there is; distributed only. Its process is named after its id. */
  async addObserver(id: string, env: Record<string, string> = {}): Promise<TestProcess> {
    if (this.#nats === undefined) throw new Error('only a distributed installation has several observers');
    const port = await freePort();
    return this.#spawn(id, ['apps/health-probe/dist/main.js'], port, {
      TOCSIN_NATS_URL: this.#nats.url,
      TOCSIN_OBSERVER_ID: id,
      ...env,
    });
  }

  /** kill -9 of one service; `start` again brings it back. */
  async kill9Service(service: Service): Promise<void> {
    const name = this.topology === 'standalone' ? 'tocsin' : service;
    await this.process(service).kill9Tree();
    this.#running.delete(name);
  }

  /** Removes what a JetStream store lost with its disk would have held. Only while stopped. */
  async wipeJetStream(): Promise<void> {
    await rm(join(this.natsFolder, 'jetstream'), { recursive: true });
  }

  /** Kills whatever still runs and removes the folder. For `afterEach`. */
  async destroy(): Promise<void> {
    await this.kill9();
    // Postgres' own children see its end a moment later, and may still be writing.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** Address of the process that answers a path. */
  urlOf(path: string): string {
    const owner = OWNERS.find(([pattern]) => pattern.test(path))?.[1] ?? 'subscription-registry';
    const port = this.#ports.get(this.topology === 'standalone' ? 'tocsin' : owner);
    return `http://127.0.0.1:${port}${path}`;
  }

  /** `host:port` of the process that serves the log over gRPC. */
  get grpcAddress(): string {
    return this.#grpcOf('event-recorder');
  }

  /** `host:port` of the process that serves the registry over gRPC. */
  get registryGrpcAddress(): string {
    return this.#grpcOf('subscription-registry');
  }

  #grpcOf(service: Service): string {
    return `127.0.0.1:${this.#ports.get(`${this.topology === 'standalone' ? 'tocsin' : service} gRPC`)}`;
  }

  /** The same of the observer, whose own pages nobody else answers. */
  observerUrl(path: string): string {
    return `http://127.0.0.1:${this.#ports.get(this.topology === 'standalone' ? 'tocsin' : 'health-probe')}${path}`;
  }

  /** One call of the API, with the key unless `headers` say otherwise. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    const response = await fetch(this.urlOf(path), {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (response.headers.get('content-type') ?? '').includes('json');
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  /** Connection string of its NATS, as an internal team would have it. */
  async natsUrl(): Promise<string> {
    if (this.#nats !== undefined) return this.#nats.url;
    const { port, authorization } = JSON.parse(await readFile(join(this.natsFolder, 'nats.json'), 'utf8'));
    return `nats://${authorization.user}:${authorization.password}@127.0.0.1:${port}`;
  }

  /** All events of the log. */
  async events(
    query = '',
  ): Promise<{ id: string; position: number; type: string; subject: string; episode?: string }[]> {
    const events = [];
    for (let after = 0; ;) {
      const { body } = await this.call('GET', `/v1/events?after=${after}&limit=1000${query}`);
      events.push(...body.events);
      if (body.events.length === 0) return events;
      after = body.next;
    }
  }

  async #startStandalone(): Promise<void> {
    const port = await this.#port('tocsin');
    await this.#spawn('tocsin', ['apps/tocsin/dist/main.js', 'up'], port, {
      TOCSIN_DATA_DIR: join(this.folder, 'data'),
    });
  }

  async #startDistributed(): Promise<void> {
    this.#postgres ??= await startPostgres({ dataDir: join(this.folder, 'postgres') });
    this.#nats ??= await startNats({ dataDir: join(this.folder, 'nats') });
    const env = {
      TOCSIN_POSTGRES_URL: this.#postgres.url,
      TOCSIN_NATS_URL: this.#nats.url,
      TOCSIN_MASTER_KEY: MASTER_KEY,
      TOCSIN_EGRESS_ALLOW: 'public,private,loopback',
    };
    // All at once, as after a power cut: none may depend on another being there first.
    const missing = SERVICES.filter((service) => !this.#running.has(service));
    await Promise.all(
      missing.map(async (service) =>
        this.#spawn(service, [`apps/${service}/dist/main.js`], await this.#port(service), env),
      ),
    );
  }

  /** The same as long as the installation lives: whoever is connected comes back to it. */
  async #port(name: string): Promise<number> {
    const port = this.#ports.get(name) ?? (await freePort());
    this.#ports.set(name, port);
    return port;
  }

  async #spawn(name: string, args: string[], port: number, env: Record<string, string>): Promise<TestProcess> {
    const child = await this.#processes.spawn(
      name,
      process.execPath,
      args.map((arg) => arg.replace(/^apps/, `${ROOT}/apps`)),
      {
        cwd: this.folder,
        env: {
          TOCSIN_API_KEY: API_KEY,
          TOCSIN_HTTP_PORT: String(port),
          ...(GRPC.includes(name) ? { TOCSIN_GRPC_PORT: String(await this.#port(`${name} gRPC`)) } : {}),
          TOCSIN_LOG_FORMAT: 'json',
          ...env,
          ...this.env,
        },
        ready: { url: `http://127.0.0.1:${port}/readyz` },
        readyTimeoutMs: 60_000,
      },
    );
    this.#running.set(name, child);
    return child;
  }
}
