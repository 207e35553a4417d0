import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  appendRequestSchema,
  JETSTREAM,
  latestRequestSchema,
  PROBE_RPC,
  probeCountsSchema,
  RPC,
  targetSpecSchema,
  type AppendRequest,
  type Appended,
} from '@tocsin/contracts';
import { toCloudEvent, TocsinError, type RecordedEvent } from '@tocsin/domain';
import { startNats, type NatsServer } from '@tocsin/embedded';
import { Broker, type KeyValue, type Serving } from '@tocsin/jetstream';
import { createLogger, ReadinessRegistry, systemClock } from '@tocsin/platform';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HealthProbeModule, healthProbeConfig } from './app.module.js';

/** The recorder's contract in memory: compare, append, idempotent by key. Here it can be away, and can lose its answers. */
class MemoryRecorder {
  readonly events: RecordedEvent[] = [];
  /** Answers of appends that are lost after the append. */
  losesAnswers = 0;
  #serving: Serving[] = [];

  start(broker: Broker): void {
    this.#serving = [
      broker.serve(RPC.logAppend, { schema: appendRequestSchema, handle: (request) => this.#append(request) }),
      broker.serve(RPC.logLatest, {
        schema: latestRequestSchema,
        handle: async ({ subjects, types, source }) => ({
          events: subjects.flatMap((subject) => {
            const newest = this.events.findLast(
              (event) =>
                event.subject === subject &&
                (types === undefined || types.includes(event.type)) &&
                (source === undefined || event.source === source),
            );
            return newest === undefined ? [] : [toCloudEvent(newest)];
          }),
          versions: Object.fromEntries(subjects.map((subject) => [subject, this.#version(subject)])),
        }),
      }),
    ];
  }

  async stop(): Promise<void> {
    await Promise.all(this.#serving.splice(0).map((serving) => serving.close()));
  }

  /** Facts about a target, in order: `offline`, `target.fresh` … */
  facts(name: string): string[] {
    return this.about(name).map((event) => event.type.replace(/^io\.tocsin\.(?:node\.)?/, ''));
  }

  about(name: string): RecordedEvent[] {
    return this.events.filter((event) => event.subject.endsWith(`/${name}`) && event.source === 'tocsin/health-probe');
  }

  record(event: Pick<RecordedEvent, 'type' | 'subject' | 'source'> & Partial<RecordedEvent>): RecordedEvent {
    const recorded: RecordedEvent = {
      id: `other-${this.events.length}`,
      time: new Date().toISOString(),
      extensions: {},
      ...event,
      position: this.events.length + 1,
      version: this.#version(event.subject) + 1,
      recordedAt: new Date().toISOString(),
    };
    this.events.push(recorded);
    return recorded;
  }

  async #append(request: AppendRequest): Promise<{ events: Appended[] }> {
    const appended = request.events.map((event): Appended => {
      const there = this.events.find((old) => old.source === event.source && old.id === event.id);
      if (there !== undefined) return { ...there, repeated: true };
      const expected = request.expect?.[event.subject];
      if (expected !== undefined && expected !== this.#version(event.subject)) {
        throw new TocsinError('TCN_VERSION_CONFLICT', `${event.subject} is at ${this.#version(event.subject)}`);
      }
      return { ...this.record({ ...event, extensions: event.extensions ?? {} } as RecordedEvent), repeated: false };
    });
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new TocsinError('TCN_TIMEOUT', 'the answer was lost');
    }
    return { events: appended };
  }

  #version(subject: string): number {
    return this.events.filter((event) => event.subject === subject).length;
  }
}

/** A node that can go down and come back on the same port. */
class Node {
  #server: Server | undefined;
  port = 0;
  requests = 0;

  async up(): Promise<void> {
    const server = createServer((_request, response) => {
      this.requests += 1;
      response.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }
}

let directory: string;
let nats: NatsServer;
let broker: Broker;
let bucket: KeyValue;
let recorder: MemoryRecorder;
const observers: { app: INestApplicationContext; broker: Broker }[] = [];
const nodes: Node[] = [];
let declared = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tocsin-observer-'));
  nats = await startNats({ dataDir: join(directory, 'nats') });
  broker = await Broker.connect({ servers: nats.url, name: 'spec' });
  bucket = await broker.kv(JETSTREAM.targetsBucket);
});
afterAll(async () => {
  await broker.close();
  await nats.stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  recorder = new MemoryRecorder();
  recorder.start(broker);
});
afterEach(async () => {
  await Promise.all(observers.splice(0).map(stop));
  await Promise.all(nodes.splice(0).map((node) => node.down()));
  await recorder.stop();
  for (const key of await bucket.keys()) await bucket.delete(key);
});

async function observe(id = 'fra-1') {
  const readiness = new ReadinessRegistry();
  const own = await Broker.connect({ servers: nats.url, name: id });
  const context = {
    logger: createLogger({ name: id, level: 'silent' }),
    clock: systemClock,
    random: Math.random,
    readiness,
  };
  const config = healthProbeConfig.parse({
    TOCSIN_NATS_URL: nats.url,
    TOCSIN_API_KEY: 'x'.repeat(32),
    TOCSIN_OBSERVER_ID: id,
  });
  const app = await NestFactory.createApplicationContext(HealthProbeModule.register({ config, context, broker: own }), {
    logger: false,
    abortOnError: false,
  });
  const observer = { app, broker: own, readiness };
  observers.push(observer);
  return observer;
}

async function stop(observer: { app: INestApplicationContext; broker: Broker }): Promise<void> {
  const index = observers.findIndex((running) => running.app === observer.app);
  if (index >= 0) observers.splice(index, 1);
  await observer.app.close();
  await observer.broker.close();
}

async function declare(node: Node, name = `edge-${++declared}`): Promise<string> {
  const spec = targetSpecSchema.parse({
    kind: 'node',
    labels: { site: 'fra' },
    check: {
      type: 'http',
      url: `http://127.0.0.1:${node.port}/healthz`,
      interval: '200ms',
      timeout: '1s',
      fastInterval: '100ms',
    },
  });
  await bucket.put(name, { name, revision: (declared += 1), spec });
  return name;
}

async function newNode(): Promise<Node> {
  const node = new Node();
  nodes.push(node);
  await node.up();
  return node;
}

const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 20_000, interval: 20 });

/** Long enough for several rounds of probes: what was going to be announced has been. */
const settle = () => sleep(1_200);

describe('an observer', () => {
  it('records the first verdict as fresh, then announces an outage and its end in one episode', async () => {
    const node = await newNode();
    await observe();
    const name = await declare(node);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    const downAt = Date.now();
    await node.down();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
    await node.up();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline', 'online']));

    const [fresh, offline, online] = recorder.about(name);
    expect(fresh).toMatchObject({ subject: `target/${name}`, data: { name, kind: 'node', from: 'pending', to: 'up' } });
    expect(offline).toMatchObject({
      subject: `node/${name}`,
      version: 1,
      extensions: { episode: expect.stringMatching(/^ep_/) as string },
      data: {
        target: name,
        kind: 'node',
        labels: { site: 'fra' },
        from: 'up',
        to: 'down',
        reason: `connection refused by 127.0.0.1:${node.port}`,
        confidence: 'single',
      },
    });
    expect(Math.abs(Date.parse(offline?.time ?? '') - downAt)).toBeLessThan(2_000);
    expect(online).toMatchObject({
      version: 2,
      extensions: { episode: offline?.extensions['episode'] },
      data: { from: 'down', to: 'up', reason: 'HTTP 200', downMs: expect.any(Number) as number },
    });
  });

  it('announces a target that has never answered', async () => {
    const node = await newNode();
    await node.down();
    await observe();
    const name = await declare(node);
    await eventually(() => expect(recorder.facts(name)).toEqual(['offline']));
    expect(recorder.about(name)[0]?.data).toMatchObject({ from: 'pending', to: 'down' });
  });

  it('announces nothing again after a restart, and the end of the outage it finds in the log', async () => {
    const node = await newNode();
    const name = await declare(node);
    const first = await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    await node.down();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
    await stop(first);

    const second = await observe();
    await settle();
    expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']);
    await stop(second);

    await node.up();
    await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline', 'online']));
    await settle();
    const [, offline, online, ...more] = recorder.about(name);
    expect(more).toEqual([]);
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });

  it('probes while the recorder is away, and holds what it has confirmed', async () => {
    const node = await newNode();
    const name = await declare(node);
    await recorder.stop();
    const { readiness } = await observe();
    await eventually(() => expect(node.requests).toBeGreaterThan(2));
    await node.down();
    await settle();
    expect((await readiness.check()).checks['health-probe']).toContain('announced state of 1 targets');
    recorder.start(broker);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
    await eventually(async () => expect((await readiness.check()).status).toBe('ok'));
  });

  it('loses neither outage nor recovery that happened while the recorder was away', async () => {
    const node = await newNode();
    const name = await declare(node);
    await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    await recorder.stop();
    await node.down();
    await settle();
    await node.up();
    await settle();
    recorder.start(broker);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline', 'online']));
    const [, offline, online] = recorder.about(name);
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });

  it('announces once although the answers to its appends are lost', async () => {
    const node = await newNode();
    const name = await declare(node);
    await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    recorder.losesAnswers = 3;
    await node.down();
    await eventually(() => expect(recorder.losesAnswers).toBe(0));
    await settle();
    expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']);
  });

  it('is not held up by events of others about the same subject', async () => {
    const node = await newNode();
    const name = await declare(node);
    await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    recorder.record({ type: 'com.acme.deployed', subject: `node/${name}`, source: 'acme' });
    recorder.record({
      type: 'io.tocsin.target.updated',
      subject: `target/${name}`,
      source: 'tocsin/subscription-registry',
    });
    await node.down();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
    expect(recorder.about(name)[1]?.version).toBe(2);
  });

  it('says fresh again of a target that was removed and declared again', async () => {
    const node = await newNode();
    await observe();
    const name = await declare(node);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    await bucket.delete(name);
    const requests = await quiet(node);
    await settle();
    expect(node.requests).toBe(requests);
    recorder.record({
      type: 'io.tocsin.target.registered',
      subject: `target/${name}`,
      source: 'tocsin/subscription-registry',
    });
    await declare(node, name);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'target.fresh']));
  });

  it('goes on with what it knows when a declaration changes', async () => {
    const node = await newNode();
    await observe();
    const name = await declare(node);
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    await declare(node, name);
    await settle();
    expect(recorder.facts(name)).toEqual(['target.fresh']);
    await node.down();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
  });

  it('tells what it has done', async () => {
    const node = await newNode();
    const name = await declare(node);
    await observe();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh']));
    await node.down();
    await eventually(() => expect(recorder.facts(name)).toEqual(['target.fresh', 'offline']));
    await eventually(async () => {
      const counts = await broker.request(PROBE_RPC.stats, {}, { schema: probeCountsSchema });
      expect(counts).toMatchObject({ observer: 'fra-1', targets: 1, suspicions: 1, transitions: 2, announced: 2 });
      expect(counts.checks).toBeGreaterThanOrEqual(4);
    });
  });
});

describe('two observers of the same targets', () => {
  it('announce every change once', async () => {
    const fleet = await Promise.all(Array.from({ length: 5 }, () => newNode()));
    const names: string[] = [];
    for (const node of fleet) names.push(await declare(node));
    await Promise.all([observe('fra-1'), observe('fra-2')]);
    const expectFacts = (facts: string[]) =>
      eventually(() => {
        for (const name of names) expect(recorder.facts(name)).toEqual(facts);
      });
    await expectFacts(['target.fresh']);
    await Promise.all(fleet.map((node) => node.down()));
    await expectFacts(['target.fresh', 'offline']);
    await settle();
    await Promise.all(fleet.map((node) => node.up()));
    await expectFacts(['target.fresh', 'offline', 'online']);
    await settle();
    for (const name of names) {
      const [, offline, online, ...more] = recorder.about(name);
      expect(more).toEqual([]);
      expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
    }
  });
});

/** Waits until nothing has asked the node for half a second. */
async function quiet(node: Node): Promise<number> {
  for (let before = -1; before !== node.requests;) {
    before = node.requests;
    await sleep(500);
  }
  return node.requests;
}
