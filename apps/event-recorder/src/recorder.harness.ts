import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type NatsServer, type PostgresServer, startNats, startPostgres } from '@tocsin/embedded';
import { serveGrpc } from '@tocsin/grpc-contracts';
import { Broker } from '@tocsin/jetstream';
import { BootstrapKeyVerifier, bootstrap, createLogger, ReadinessRegistry, systemClock } from '@tocsin/platform';
import { seedCluster } from '@tocsin/testing';
import { EventRecorderModule, eventRecorderConfig } from './app.module.js';

/** Key of every recorder started here. */
export const API_KEY = 'a-key-that-only-the-tests-know-0123456789';

/** Real servers for one spec file. */
export interface Servers {
  dataDir: string;
  postgres: PostgresServer;
  nats: NatsServer;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tocsin-recorder-'));
  await seedCluster(join(dataDir, 'postgres'));
  const postgres = await startPostgres({ dataDir: join(dataDir, 'postgres'), durability: 'fast' });
  const nats = await startNats({ dataDir: join(dataDir, 'nats') });
  return {
    dataDir,
    postgres,
    nats,
    stop: async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Environment of a recorder. */
export function environment(servers: Servers, port: number, more: Record<string, string> = {}): Record<string, string> {
  return {
    TOCSIN_HTTP_PORT: String(port),
    TOCSIN_GRPC_PORT: '0',
    TOCSIN_POSTGRES_URL: servers.postgres.url,
    TOCSIN_NATS_URL: servers.nats.url,
    TOCSIN_API_KEY: API_KEY,
    TOCSIN_LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
    TOCSIN_LOG_FORMAT: 'json',
    ...more,
  };
}

/** A recorder in this process. */
export interface Recorder {
  url: string;
  grpcAddress: string;
  broker: Broker;
  close(): Promise<void>;
}

export async function startRecorder(servers: Servers, more: Record<string, string> = {}): Promise<Recorder> {
  const config = eventRecorderConfig.parse(environment(servers, 0, more));
  const logger = createLogger({ name: 'event-recorder', level: config.TOCSIN_LOG_LEVEL, format: 'json' });
  const context = { logger, clock: systemClock, random: Math.random, readiness: new ReadinessRegistry() };
  const broker = await Broker.connect({ servers: servers.nats.url, name: 'recorder under test' });
  let grpcAddress = '';
  const app = await bootstrap(EventRecorderModule.register({ config, context, broker }), {
    name: 'event-recorder',
    host: '127.0.0.1',
    port: 0,
    context,
    verifier: new BootstrapKeyVerifier(API_KEY),
    signals: false,
    configure: async (nest) => {
      grpcAddress = (await serveGrpc(nest, { host: '127.0.0.1', port: config.TOCSIN_GRPC_PORT })).address;
    },
  });
  return {
    url: app.url,
    grpcAddress,
    broker,
    close: async () => {
      await app.close();
      await broker.close();
    },
  };
}

/** Real servers and a recorder that is ready, in this process. */
export interface Stage extends Recorder {
  servers: Servers;
}

/** What most spec files begin with; `close` ends all of it. */
export async function startStage(): Promise<Stage> {
  const servers = await startServers();
  try {
    const recorder = await startRecorder(servers);
    await eventually(async () => (await call(recorder.url, '/readyz')).ok);
    const close = async (): Promise<void> => {
      await recorder.close();
      await servers.stop();
    };
    return { ...recorder, servers, close };
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

/** A recorder as a process of its own. */
export interface SpawnedRecorder {
  url: string;
  process: ChildProcess;
  /** SIGKILL; resolves when the process has ended. */
  kill9(): Promise<void>;
  output(): string;
}

export async function spawnRecorder(servers: Servers, more: Record<string, string> = {}): Promise<SpawnedRecorder> {
  const port = await freePort();
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const args = ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register', main];
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, args, {
    env: { PATH, NODE_COMPILE_CACHE, ...environment(servers, port, { TOCSIN_LOG_LEVEL: 'info', ...more }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`the recorder has ended: ${output}`);
    return (await fetch(`${url}/readyz`)).ok;
  });
  return {
    url,
    process: child,
    kill9: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    output: () => output,
  };
}

/** Waits until `condition` holds; what it throws counts as "not yet" until the time is up. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let last: unknown = new Error('it never held');
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs) throw last;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A call with the key of an admin. */
export function call(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${API_KEY}`, ...init.headers } });
}

/** POSTs an event, or several, as structured JSON. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return call(url, '/v1/events', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** An event as the API shows it, as far as specs look at it. */
export interface ShownEvent {
  id: string;
  position: number;
  sequence: number;
  traceparent?: string;
  data?: unknown;
}

/** Whatever the API answers, as far as specs look at it. */
export interface Answer extends ShownEvent {
  events: ShownEvent[];
  next: number;
  code: string;
  detail: string;
  errors: { pointer: string; detail: string }[];
  status: string | number;
  checks: Record<string, string>;
}

export async function bodyOf(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}
