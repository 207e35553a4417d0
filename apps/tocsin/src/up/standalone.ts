import { type DynamicModule, Module } from '@nestjs/common';
import { DeliveryModule } from '@tocsin/delivery';
import { TocsinError } from '@tocsin/domain';
import { EventRecorderModule } from '@tocsin/event-recorder';
import { serveGrpc } from '@tocsin/grpc-contracts';
import { HealthProbeModule } from '@tocsin/health-probe';
import { Broker } from '@tocsin/jetstream';
import {
  allKeys,
  bootstrap,
  loadOrCreateSecretFile,
  type Logger,
  ReadinessRegistry,
  type RunningApp,
  Sealer,
  type ServiceContext,
  systemClock,
} from '@tocsin/platform';
import { SubscriptionRegistryModule } from '@tocsin/subscription-registry';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServers } from './embedded-servers.js';
import { requireFreePort } from './free-port.js';
import type { StandaloneConfig } from './standalone-config.js';

/** How often readiness is looked at while starting, milliseconds. */
const READY_POLL_MS = 25;
/** Longest wait for all parts to be ready, milliseconds: recovery of a large database takes its time. */
const READY_TIMEOUT_MS = 120_000;

@Module({})
class StandaloneModule {}

/** All of Tocsin in this process. */
export interface Standalone {
  readonly url: string;
  /** Where gRPC is served, `host:port`. */
  readonly grpcAddress: string;
  readonly apiKey: string;
  /** The key was made by this start; nobody has seen it yet. */
  readonly apiKeyIsNew: boolean;
  readonly apiKeyFile: string | undefined;
  readonly dataDir: string;
  readonly app: RunningApp['app'];
  /** Ends what is in flight, then the services, then the embedded servers. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the four services in this process on one port, with a Postgres and a NATS of its own where none is given, and waits until
 * everything is ready.
 * @throws TocsinError whatever keeps a part from starting; nothing is left running then
 */
export async function startStandalone(options: {
  config: StandaloneConfig;
  logger: Logger;
  /** Told, one line each, what takes time. */
  say: (line: string) => void;
  /** Gives the start up: what has been started is stopped, and the promise rejects with its reason. */
  signal?: AbortSignal;
}): Promise<Standalone> {
  const { config, logger, say, signal } = options;
  const dataDir = resolve(config.TOCSIN_DATA_DIR);
  const apiKeyFile = config.TOCSIN_API_KEY === undefined ? join(dataDir, 'api-key') : undefined;
  const apiKey = await secretOf(config.TOCSIN_API_KEY, join(dataDir, 'api-key'), newApiKey);
  const masterKey = await secretOf(config.TOCSIN_MASTER_KEY, join(dataDir, 'master-key'), () => Sealer.newMasterKey());

  const undo: (() => Promise<void>)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= inReverse(undo));
  try {
    // Said now and not when two servers have been started for nothing.
    await requireFreePort(config.TOCSIN_HTTP_HOST, config.TOCSIN_HTTP_PORT, 'TOCSIN_HTTP_PORT');
    await requireFreePort(config.TOCSIN_HTTP_HOST, config.TOCSIN_GRPC_PORT, 'TOCSIN_GRPC_PORT');
    signal?.throwIfAborted();
    const servers = await startServers({
      dataDir,
      postgresUrl: config.TOCSIN_POSTGRES_URL,
      natsUrl: config.TOCSIN_NATS_URL,
      logger,
      say,
    });
    undo.push(() => servers.stop());
    signal?.throwIfAborted();
    const broker = await Broker.connect({ servers: servers.natsUrl, name: 'tocsin' });
    undo.push(() => broker.close());
    signal?.throwIfAborted();
    const context: ServiceContext = {
      logger,
      clock: systemClock,
      random: Math.random,
      readiness: new ReadinessRegistry(),
    };
    context.readiness.register('nats', () => broker.check());
    const complete = {
      ...config,
      TOCSIN_API_KEY: apiKey.secret,
      TOCSIN_MASTER_KEY: masterKey.secret,
      TOCSIN_POSTGRES_URL: servers.postgresUrl,
      TOCSIN_NATS_URL: servers.natsUrl,
    };
    let grpcAddress = '';
    const running = await bootstrap(
      allServices({ config: complete, context, broker, ownBroker: config.TOCSIN_NATS_URL === undefined }),
      {
        name: 'tocsin',
        host: config.TOCSIN_HTTP_HOST,
        port: config.TOCSIN_HTTP_PORT,
        context,
        verifier: allKeys(apiKey.secret, broker, context.clock),
        configure: async (app) => {
          const listening = await serveGrpc(app, { host: config.TOCSIN_HTTP_HOST, port: config.TOCSIN_GRPC_PORT });
          grpcAddress = listening.address;
        },
        signals: false,
      },
    );
    undo.push(() => running.close());
    await whenReady(context.readiness, signal);
    return {
      url: running.url,
      grpcAddress,
      apiKey: apiKey.secret,
      apiKeyIsNew: apiKey.created,
      apiKeyFile,
      dataDir,
      app: running.app,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type CompleteConfig = StandaloneConfig &
  Record<'TOCSIN_API_KEY' | 'TOCSIN_MASTER_KEY' | 'TOCSIN_POSTGRES_URL' | 'TOCSIN_NATS_URL', string>;

function allServices(parts: {
  config: CompleteConfig;
  context: ServiceContext;
  broker: Broker;
  /** The broker is embedded. */
  ownBroker: boolean;
}): DynamicModule {
  return {
    module: StandaloneModule,
    imports: [
      // A broker of our own carries this log and no other: where it contradicts the log, it is wrong and is filled anew.
      EventRecorderModule.register({ ...parts, divergence: parts.ownBroker ? 'rebuild' : 'refuse' }),
      SubscriptionRegistryModule.register(parts),
      DeliveryModule.register(parts),
      HealthProbeModule.register(parts),
    ],
  };
}

async function secretOf(
  given: string | undefined,
  file: string,
  make: () => string,
): Promise<{ secret: string; created: boolean }> {
  return given === undefined ? loadOrCreateSecretFile(file, make) : { secret: given, created: false };
}

function newApiKey(): string {
  return `tcn_${randomBytes(32).toString('base64url')}`;
}

/** Every step, the last first; one that fails keeps none of the others from being taken. */
async function inReverse(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of [...steps].reverse()) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function whenReady(readiness: ReadinessRegistry, signal: AbortSignal | undefined): Promise<void> {
  const deadline = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  for (;;) {
    signal?.throwIfAborted();
    const { status, checks } = await readiness.check();
    if (status === 'ok') return;
    if (systemClock.monotonicMs() > deadline) {
      const missing = Object.entries(checks).filter(([, outcome]) => outcome !== 'ok');
      const list = missing.map(([name, outcome]) => `${name} (${outcome})`).join(', ');
      throw new TocsinError('TCN_UNAVAILABLE', `not ready within ${READY_TIMEOUT_MS / 1000} s: ${list}`);
    }
    await sleep(READY_POLL_MS);
  }
}
