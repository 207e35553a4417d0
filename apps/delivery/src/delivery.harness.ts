import {
  type AppendRequest,
  type Appended,
  appendReplySchema,
  REGISTRY_EVENTS,
  RPC,
  type SealedDestination,
  sealedContext,
  sealedRequestSchema,
  subscriptionSpecSchema,
} from '@tocsin/contracts';
import { type EventToAppend, type JsonObject, newId } from '@tocsin/domain';
import { freePort } from '@tocsin/embedded';
import { Broker, type Serving } from '@tocsin/jetstream';
import {
  bootstrap,
  BootstrapKeyVerifier,
  createLogger,
  ReadinessRegistry,
  type RunningApp,
  Sealer,
  systemClock,
} from '@tocsin/platform';
import { eventually, ProcessGroup, testDatabase, type TestDatabase, testNats, type TestProcess } from '@tocsin/testing';
import { newSigningSecret } from '@tocsin/webhook';
import { z } from 'zod';
import { fileURLToPath } from 'node:url';
import { DeliveryModule } from './app.module.js';
import { deliveryConfig } from './config.js';

const API_KEY = 'key-for-specs-of-thirty-two-chars';
const SOURCE = 'tocsin/subscription-registry';
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const RECORDER = fileURLToPath(new URL('../../event-recorder/src/main.ts', import.meta.url));

/** An answer, read. */
export interface Answer {
  status: number;
  // Specs look into answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** What specs declare; everything else has its default. */
export type SpecInput = Omit<z.input<typeof subscriptionSpecSchema>, 'destination' | 'types'> & { types?: string[] };

/** A delivery service under test. */
export interface RunningDelivery {
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** An answer as it came. */
  text(path: string): Promise<string>;
  ready(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Everything delivery needs around it: real Postgres, nats-server and event recorder, and a stand-in for the registry that declares
 * subscriptions in the log and hands out their sealed parts.
 */
export class Surroundings {
  readonly processes = new ProcessGroup();
  readonly #masterKey = Sealer.newMasterKey();
  readonly #sealer = Sealer.fromMasterKey(this.#masterKey);
  readonly #sealed = new Map<string, { ref: string; content: SealedDestination }>();
  #serving: Serving | undefined;

  private constructor(
    readonly database: TestDatabase,
    readonly natsUrl: string,
    readonly broker: Broker,
  ) {}

  static async start(): Promise<Surroundings> {
    const [database, nats] = await Promise.all([testDatabase(), testNats()]);
    const broker = await Broker.connect({ servers: nats.url, name: 'spec' });
    const surroundings = new Surroundings(database, nats.url, broker);
    surroundings.#serving = broker.serve(RPC.registrySealed, {
      schema: sealedRequestSchema,
      handle: async ({ subscription }) => surroundings.#sealedOf(subscription),
    });
    await surroundings.#startRecorder();
    return surroundings;
  }

  async stop(): Promise<void> {
    await this.processes.kill9();
    await this.#serving?.close();
    await this.broker.close();
  }

  /** Appends events; only `type` and `subject` matter to most. */
  async append(events: readonly (Partial<EventToAppend> & { type: string; subject: string })[]): Promise<Appended[]> {
    const appended: Appended[] = [];
    for (let start = 0; start < events.length; start += 1_000) {
      const request: AppendRequest = {
        events: events.slice(start, start + 1_000).map((event) => ({
          id: newId('evt', Date.now()),
          source: 'https://producer.example.net/',
          time: new Date().toISOString(),
          ...event,
        })),
      };
      const reply = await this.broker.request(RPC.logAppend, request, { schema: appendReplySchema, timeoutMs: 20_000 });
      appended.push(...reply.events);
    }
    return appended;
  }

  /** Declares a subscription, for the first time or anew. @returns its position and signing secret */
  async subscribe(name: string, url: string, input: SpecInput = {}): Promise<{ position: number; secret: string }> {
    const known = this.#sealed.get(name);
    const secret = known?.content.signingSecrets[0]?.secret ?? newSigningSecret();
    const ref = newId('rev', Date.now());
    this.#sealed.set(name, { ref, content: { url, headers: {}, signingSecrets: [{ secret }] } });
    const spec = subscriptionSpecSchema.parse({
      types: ['com.acme.*'],
      ...input,
      destination: { kind: 'webhook', url: `${new URL(url).origin}/…` },
    });
    const type = known === undefined ? REGISTRY_EVENTS.subscriptionCreated : REGISTRY_EVENTS.subscriptionUpdated;
    const position = await this.registryEvent(type, name, { spec, sealedRef: ref });
    return { position, secret };
  }

  /** Removes a subscription. */
  async unsubscribe(name: string): Promise<void> {
    this.#sealed.delete(name);
    await this.registryEvent(REGISTRY_EVENTS.subscriptionRemoved, name, {});
  }

  /** Appends an event of the registry's about a subscription. */
  async registryEvent(type: string, name: string, data: JsonObject): Promise<number> {
    const [appended] = await this.append([
      { type, subject: `subscription/${name}`, source: SOURCE, data: { name, actor: 'spec', ...data } },
    ]);
    return appended?.position ?? 0;
  }

  /** Delivery in this process. */
  async delivery(): Promise<RunningDelivery> {
    const broker = await Broker.connect({ servers: this.natsUrl, name: 'delivery under test' });
    const readiness = new ReadinessRegistry();
    const level = process.env['SPEC_LOG'] ?? 'silent';
    const logger = createLogger({ name: 'delivery', level, format: 'json' });
    const context = { logger, clock: systemClock, random: Math.random, readiness };
    const config = deliveryConfig.parse(this.#environment(0));
    const app: RunningApp = await bootstrap(DeliveryModule.register({ config, context, broker }), {
      name: 'delivery',
      host: '127.0.0.1',
      port: 0,
      context,
      verifier: new BootstrapKeyVerifier(API_KEY),
      signals: false,
    });
    const running: RunningDelivery = {
      call: (method, path, body) => call(`${app.url}${path}`, method, body),
      text: async (path) =>
        (await fetch(`${app.url}${path}`, { headers: { authorization: `Bearer ${API_KEY}` } })).text(),
      ready: async () => {
        await eventually(async () => (await readiness.check()).status === 'ok', { what: 'delivery is ready' });
      },
      close: async () => {
        await app.close();
        await broker.close();
      },
    };
    await running.ready();
    return running;
  }

  /** Delivery as a process of its own. */
  async spawnDelivery(name = 'delivery', env: Record<string, string> = {}): Promise<TestProcess> {
    const port = await freePort();
    return this.#spawn(name, MAIN, port, { ...this.#environment(port), ...env });
  }

  /** The checkpoints of all shards have come to a position. */
  async settledUpTo(position: number, timeoutMs = 20_000): Promise<void> {
    await eventually(
      async () => {
        const [row] = await this.database.query<{ checkpoint: string }>(
          'SELECT min(checkpoint) AS checkpoint FROM delivery.shard',
        );
        return Number(row?.checkpoint) >= position;
      },
      { what: `every checkpoint is at ${position}`, timeoutMs },
    );
  }

  async #startRecorder(): Promise<void> {
    const port = await freePort();
    await this.#spawn('event-recorder', RECORDER, port, {
      TOCSIN_HTTP_PORT: String(port),
      TOCSIN_GRPC_PORT: '0',
      TOCSIN_POSTGRES_URL: this.database.url,
      TOCSIN_NATS_URL: this.natsUrl,
      TOCSIN_API_KEY: API_KEY,
      TOCSIN_LOG_LEVEL: 'warn',
      TOCSIN_LOG_FORMAT: 'json',
    });
  }

  #spawn(name: string, file: string, port: number, env: Record<string, string>): Promise<TestProcess> {
    const args = ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register', file];
    const ready = { url: `http://127.0.0.1:${port}/readyz` };
    return this.processes.spawn(name, process.execPath, args, { env, ready, readyTimeoutMs: 60_000 });
  }

  #environment(port: number): Record<string, string> {
    return {
      TOCSIN_HTTP_PORT: String(port),
      TOCSIN_POSTGRES_URL: this.database.url,
      TOCSIN_NATS_URL: this.natsUrl,
      TOCSIN_API_KEY: API_KEY,
      TOCSIN_MASTER_KEY: this.#masterKey,
      TOCSIN_EGRESS_ALLOW: 'public,loopback',
      TOCSIN_LOG_LEVEL: process.env['SPEC_LOG'] ?? 'warn',
      TOCSIN_LOG_FORMAT: 'json',
    };
  }

  #sealedOf(subscription: string): { sealedRef?: string; sealed?: string } {
    const known = this.#sealed.get(subscription);
    if (known === undefined) return {};
    const text = JSON.stringify(known.content);
    const envelope = this.#sealer.seal(text, sealedContext(subscription, known.ref));
    return { sealedRef: known.ref, sealed: envelope.toString('base64') };
  }
}

async function call(url: string, method: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${API_KEY}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}
