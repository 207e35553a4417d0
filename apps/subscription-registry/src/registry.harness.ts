import { Controller, type DynamicModule, Get, Module, type Type } from '@nestjs/common';
import { type NatsServer, startNats } from '@tocsin/embedded';
import { serveGrpc } from '@tocsin/grpc-contracts';
import { Broker } from '@tocsin/jetstream';
import {
  allKeys,
  bootstrap,
  createLogger,
  ReadinessRegistry,
  RequireRole,
  type RunningApp,
  Sealer,
  type ServiceContext,
  systemClock,
} from '@tocsin/platform';
import { Database } from '@tocsin/postgres';
import { eventually, testDatabase, testFolder } from '@tocsin/testing';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SubscriptionRegistryModule } from './app.module.js';
import { subscriptionRegistryConfig } from './config.js';
import { StandInRecorder } from './stand-in-recorder.harness.js';

/** Key of every service started here. */
export const API_KEY = 'key-for-specs-of-thirty-two-chars';

@RequireRole('viewer')
@Controller('v1/targets')
class StrangerController {
  @Get()
  list() {
    return [];
  }
}

@Module({ controllers: [StrangerController] })
class StrangerModule {}

const quietLogger = () =>
  createLogger({ name: 'registry', level: process.env['SPEC_LOG'] ?? 'silent', format: 'json' });

/** An answer, read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Specs look into answers of every shape; a wrong guess fails the spec.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

/** A registry under test, reached over HTTP as anybody would. */
export interface RunningRegistry {
  readonly url: string;
  /** `host:port`. */
  readonly grpcAddress: string;
  readonly broker: Broker;
  readonly readiness: ReadinessRegistry;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Resolves when every check of readiness passes. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Postgres and NATS for the specs of one file. */
export class Servers {
  readonly masterKey = Sealer.newMasterKey();
  readonly #natsDir: string;
  #nats: NatsServer;

  private constructor(
    readonly postgresUrl: string,
    natsDir: string,
    nats: NatsServer,
  ) {
    this.#natsDir = natsDir;
    this.#nats = nats;
  }

  static async start(): Promise<Servers> {
    const postgres = await testDatabase();
    const natsDir = join(await testFolder(), 'nats');
    return new Servers(postgres.url, natsDir, await startNats({ dataDir: natsDir }));
  }

  get natsUrl(): string {
    return this.#nats.url;
  }

  connect(name: string): Promise<Broker> {
    return Broker.connect({ servers: this.natsUrl, name });
  }

  /** A look into the registry's tables from outside. */
  database(): Promise<Database> {
    return Database.open({ url: this.postgresUrl, applicationName: 'spec', schema: 'registry', migrations: [] });
  }

  /** Kills NATS, removes everything JetStream has stored, and starts it again at the same place. */
  async wipeNats(): Promise<void> {
    const { port } = this.#nats;
    this.#nats.kill9();
    await this.#nats.exited;
    await rm(join(this.#natsDir, 'jetstream'), { recursive: true, force: true });
    this.#nats = await startNats({ dataDir: this.#natsDir, port });
  }

  async registry(): Promise<RunningRegistry> {
    const broker = await this.connect('registry');
    const readiness = new ReadinessRegistry();
    const context = {
      logger: quietLogger(),
      clock: systemClock,
      random: Math.random,
      readiness,
    };
    const config = subscriptionRegistryConfig.parse({
      TOCSIN_POSTGRES_URL: this.postgresUrl,
      TOCSIN_NATS_URL: this.natsUrl,
      TOCSIN_API_KEY: API_KEY,
      TOCSIN_MASTER_KEY: this.masterKey,
      TOCSIN_EGRESS_ALLOW: 'public,10.0.0.0/8',
    });
    return this.#serve(SubscriptionRegistryModule.register({ config, context, broker }), { context, broker });
  }

  /** Another service: one route, and the keys that the registry knows. */
  async stranger(): Promise<RunningRegistry> {
    const broker = await this.connect('stranger');
    const readiness = new ReadinessRegistry();
    const context = { logger: quietLogger(), clock: systemClock, random: Math.random, readiness };
    return this.#serve(StrangerModule, { context, broker });
  }

  async #serve(
    module: DynamicModule | Type,
    { context, broker }: { context: ServiceContext; broker: Broker },
  ): Promise<RunningRegistry> {
    let grpcAddress = '';
    const app: RunningApp = await bootstrap(module, {
      name: 'registry',
      host: '127.0.0.1',
      port: 0,
      context,
      verifier: allKeys(API_KEY, broker, systemClock),
      signals: false,
      configure: async (nest) => {
        grpcAddress = (await serveGrpc(nest, { host: '127.0.0.1', port: 0 })).address;
      },
    });
    const { readiness } = context;
    return {
      url: app.url,
      grpcAddress,
      broker,
      readiness,
      call: (method, path, body, headers) => call(`${app.url}${path}`, method, body, headers),
      ready: async () => {
        await eventually(async () => (await readiness.check()).status === 'ok', {
          what: 'the registry is ready',
          timeoutMs: 20_000,
        });
      },
      close: async () => {
        await app.close();
        await broker.close();
      },
    };
  }

  async stop(): Promise<void> {
    await this.#nats.stop();
  }
}

/** Servers, a recorder on them that fails when it is told to, and the registries that a spec starts; `close` ends all of it. */
export class Installation {
  #registries: RunningRegistry[] = [];
  #databases: Database[] = [];

  private constructor(
    readonly servers: Servers,
    /** The recorder's connection; specs look into buckets over it. */
    readonly broker: Broker,
    readonly recorder: StandInRecorder,
  ) {}

  static async start(): Promise<Installation> {
    const servers = await Servers.start();
    try {
      const broker = await servers.connect('recorder');
      const recorder = new StandInRecorder(broker);
      recorder.start();
      return new Installation(servers, broker, recorder);
    } catch (error) {
      await servers.stop();
      throw error;
    }
  }

  /** A registry that may not be ready yet. */
  async boot(): Promise<RunningRegistry> {
    const registry = await this.servers.registry();
    this.#registries.push(registry);
    return registry;
  }

  /** A registry that is ready. */
  async registry(): Promise<RunningRegistry> {
    const registry = await this.boot();
    await registry.ready();
    return registry;
  }

  /** A look into the tables that a registry has made. */
  async database(): Promise<Database> {
    const database = await this.servers.database();
    this.#databases.push(database);
    return database;
  }

  async closeRegistries(): Promise<void> {
    const registries = this.#registries;
    this.#registries = [];
    await Promise.all(registries.map((registry) => registry.close()));
  }

  /** Closes every registry, and has the recorder fail no longer; what is recorded stays. */
  async reset(): Promise<void> {
    await this.closeRegistries();
    this.recorder.mend();
  }

  async close(): Promise<void> {
    await Promise.all(this.#databases.map((database) => database.close()));
    await this.closeRegistries();
    await this.recorder.stop();
    await this.broker.close();
    await this.servers.stop();
  }
}

/** A registry that is ready, with the installation it belongs to; `close` ends all of it. */
export interface Stage extends RunningRegistry {
  readonly recorder: StandInRecorder;
  /** As {@link Installation.database}. */
  database(): Promise<Database>;
}

/** What most spec files begin with. */
export async function startStage(): Promise<Stage> {
  const installation = await Installation.start();
  try {
    const registry = await installation.registry();
    const { broker, recorder } = installation;
    return {
      ...registry,
      broker,
      recorder,
      database: () => installation.database(),
      close: () => installation.close(),
    };
  } catch (error) {
    await installation.close();
    throw error;
  }
}

async function call(url: string, method: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${API_KEY}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
