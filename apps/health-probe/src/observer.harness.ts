import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JETSTREAM, targetSpecSchema } from '@tocsin/contracts';
import { heartbeatTokenHash, type Clock } from '@tocsin/domain';
import { Broker, type KeyValue } from '@tocsin/jetstream';
import { bootstrap, createLogger, ReadinessRegistry, systemClock } from '@tocsin/platform';
import { eventually, FakeNode, testNats } from '@tocsin/testing';
import { HealthProbeModule, healthProbeConfig } from './app.module.js';
import { MemoryRecorder } from './memory-recorder.harness.js';

/** An observer in this process, with a connection of its own. */
export interface RunningObserver {
  id: string;
  app: INestApplicationContext;
  broker: Broker;
  readiness: ReadinessRegistry;
  close(): Promise<void>;
}

/** Observers, nodes, a recorder and a real NATS. */
export class ObserverWorld {
  readonly recorder = new MemoryRecorder();
  readonly #observers: RunningObserver[] = [];
  readonly #nodes: FakeNode[] = [];
  #revision = 0;

  private constructor(
    readonly broker: Broker,
    readonly bucket: KeyValue,
    readonly natsUrl: string,
  ) {}

  /** @param recorder false: the recorder is somebody else's */
  static async start(recorder = true): Promise<ObserverWorld> {
    const { url } = await testNats();
    const broker = await Broker.connect({ servers: url, name: 'spec' });
    const world = new ObserverWorld(broker, await broker.kv(JETSTREAM.targetsBucket), url);
    if (recorder) world.recorder.start(broker);
    return world;
  }

  async close(): Promise<void> {
    await Promise.all(this.#observers.splice(0).map(end));
    await Promise.all(this.#nodes.splice(0).map((node) => node.close()));
    await this.recorder.stop();
    for (const key of await this.bucket.keys()) await this.bucket.delete(key);
    await this.broker.close();
  }

  async node(): Promise<FakeNode> {
    const node = await FakeNode.start();
    this.#nodes.push(node);
    return node;
  }

  async observe(id = 'fra-1', env: Record<string, string> = {}, clock: Clock = systemClock): Promise<RunningObserver> {
    const { config, context, broker, readiness } = await this.#parts(id, env, clock);
    const module = HealthProbeModule.register({ config, context, broker });
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    const observer = { id, app, broker, readiness, close: () => app.close() };
    this.#observers.push(observer);
    return observer;
  }

  /** An observer that also stands on a port. */
  async serve(id: string): Promise<RunningObserver & { url: string }> {
    const { config, context, broker, readiness } = await this.#parts(id, {}, systemClock);
    const running = await bootstrap(HealthProbeModule.register({ config, context, broker }), {
      ...{ name: id, host: '127.0.0.1', port: 0, context, signals: false },
      verifier: { verify: () => Promise.resolve(undefined) },
    });
    const { app, url } = running;
    const observer = { id, app, broker, readiness, url, close: () => running.close() };
    this.#observers.push(observer);
    return observer;
  }

  get observers(): readonly RunningObserver[] {
    return this.#observers;
  }

  /** Dies as a killed process does: it says nothing any more, not even goodbye. */
  async kill(observer: RunningObserver): Promise<void> {
    await observer.broker.close();
    await this.end(observer);
  }

  async end(observer: RunningObserver): Promise<void> {
    this.#observers.splice(this.#observers.indexOf(observer), 1);
    await end(observer);
  }

  /** Declares `node` as a target, or declares it anew under the same name. */
  async declare(
    node: Pick<FakeNode, 'url' | 'port'>,
    name = `edge-${node.port}`,
    check: Record<string, string | number> = {},
    more: { labels?: Record<string, string>; parent?: string } = {},
  ): Promise<string> {
    const spec = targetSpecSchema.parse({
      kind: 'node',
      labels: { role: 'edge' },
      ...more,
      check: { type: 'http', url: node.url, interval: '200ms', timeout: '1s', fastInterval: '100ms', ...check },
    });
    await this.bucket.put(name, { name, revision: (this.#revision += 1), spec });
    return name;
  }

  /** Declares a target with any check. */
  async declareCheck(name: string, check: Record<string, unknown>): Promise<string> {
    const spec = targetSpecSchema.parse({ kind: 'node', labels: {}, check });
    await this.bucket.put(name, { name, revision: (this.#revision += 1), spec });
    return name;
  }

  /** Declares a target that says by itself that it is alive. */
  async declareHeartbeat(name: string, token: string, check: Record<string, unknown> = {}): Promise<string> {
    const spec = targetSpecSchema.parse({
      kind: 'node',
      labels: {},
      check: { type: 'heartbeat', interval: '300ms', ...check },
    });
    const heartbeat = { tokens: [{ hash: heartbeatTokenHash(token) }] };
    await this.bucket.put(name, { name, revision: (this.#revision += 1), spec, heartbeat });
    return name;
  }

  async #parts(id: string, env: Record<string, string>, clock: Clock) {
    const natsUrl = env['TOCSIN_NATS_URL'] ?? this.natsUrl;
    const readiness = new ReadinessRegistry();
    const broker = await Broker.connect({ servers: natsUrl, name: id });
    const logger = createLogger({ name: id, level: process.env['TOCSIN_LOG_LEVEL'] ?? 'silent' });
    const context = { logger, clock, random: Math.random, readiness };
    const config = healthProbeConfig.parse({
      TOCSIN_NATS_URL: natsUrl,
      TOCSIN_API_KEY: 'x'.repeat(32),
      TOCSIN_OBSERVER_ID: id,
      ...env,
    });
    return { config, context, broker, readiness };
  }

  /** Waits until exactly these facts are recorded about a target. */
  async facts(name: string, facts: string[], timeoutMs = 20_000): Promise<void> {
    await eventually(() => JSON.stringify(this.recorder.facts(name)) === JSON.stringify(facts), {
      what: `${name}: ${facts.join(', ')}`,
      timeoutMs,
    }).catch((error: unknown) => {
      throw new Error(`recorded instead: ${this.recorder.facts(name).join(', ')}`, { cause: error });
    });
  }

  /** Long enough for several rounds of probes: what was going to be announced has been. */
  async settle(ms = 1_200): Promise<void> {
    await sleep(ms);
  }
}

async function end({ close, broker }: RunningObserver): Promise<void> {
  await close();
  await broker.close();
}
