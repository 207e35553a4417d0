import { TocsinError } from '@tocsin/domain';
import { freePort } from '@tocsin/embedded';
import { context, propagation, trace, type TextMapPropagator } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Broker, type Serving } from './broker.js';
import { followLog } from './follow-log.js';
import { linkOf } from './link-registry.js';
import type { ServeOptions } from './responder.js';
import { eventually, NatsUnderTest } from './jetstream.harness.js';

const numberSchema = z.object({ n: z.number() });

let nats: NatsUnderTest;
let asking: Broker;
let serving: Broker;
const servings: Serving[] = [];

beforeAll(async () => {
  nats = await NatsUnderTest.start();
  asking = await nats.broker('asking');
  serving = await nats.broker('serving');
});

afterEach(async () => {
  await Promise.all(servings.splice(0).map((one) => one.close()));
});

afterAll(() => nats.dispose());

async function serve<S extends z.ZodType, R>(subject: string, options: ServeOptions<S, R>): Promise<Serving> {
  const one = serving.serve(subject, options);
  servings.push(one);
  await one.ready;
  return one;
}

/** Lets nothing else run in this process, milliseconds. */
function blockFor(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

const failure = async (work: Promise<unknown>): Promise<TocsinError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof TocsinError) return error;
  throw new Error(`expected a TocsinError, got ${String(error)}`);
};

describe('Broker.connect', () => {
  it('says where NATS cannot be reached, without the credentials', async () => {
    const port = await freePort();
    const error = await failure(
      Broker.connect({ servers: `nats://user:s3cret@127.0.0.1:${port}`, name: 'spec', connectTimeoutMs: 1_000 }),
    );
    expect(error.code).toBe('TCN_NATS_UNREACHABLE');
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).not.toMatch(/user|s3cret/);
  });

  it('gives up on a port that accepts and says nothing', async () => {
    const silent = await listen(() => undefined);
    const start = performance.now();
    const error = await failure(
      Broker.connect({ servers: `127.0.0.1:${silent.port}`, name: 'spec', connectTimeoutMs: 300 }),
    );
    expect(error.code).toBe('TCN_NATS_UNREACHABLE');
    expect(performance.now() - start).toBeLessThan(5_000);
    await silent.close();
  });

  it('tells refused credentials from an unreachable server', async () => {
    const { host } = new URL(nats.url);
    const error = await failure(Broker.connect({ servers: `nats://user:wr0ng@${host}`, name: 'spec' }));
    expect(error.code).toBe('TCN_CONFIG');
    expect(error.message).toContain(host);
    expect(error.message).not.toContain('wr0ng');
  });

  it('refuses a server older than 2.12', async () => {
    // No such server is to be had here: this one says what an old one says.
    const old = await listen((socket) => {
      socket.write(
        'INFO {"server_id":"X","version":"2.9.10","max_payload":1048576,"headers":true,"jetstream":true}\r\n',
      );
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('PING')) socket.write('PONG\r\n');
      });
    });
    const error = await failure(Broker.connect({ servers: `127.0.0.1:${old.port}`, name: 'spec' }));
    expect(error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(error.message).toMatch(/2\.9\.10; at least 2\.12/);
    await old.close();
  });

  it('refuses a server without JetStream', async () => {
    const plain = await NatsUnderTest.start({
      accounts: { A: { jetstream: false, users: [{ user: 'a', password: 'b' }] } },
    });
    const { host } = new URL(plain.url);
    const error = await failure(Broker.connect({ servers: `nats://a:b@${host}`, name: 'spec' }));
    expect(error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(error.message).toMatch(/no JetStream/);
    await plain.dispose();
  });
});

describe('request and serve', () => {
  it('brings the payload there and the answer back', async () => {
    await serve('spec.double', {
      schema: numberSchema,
      handle: ({ n }) => Promise.resolve({ n: n * 2 }),
    });
    const answer = await asking.request('spec.double', { n: 21 }, { schema: numberSchema });
    expect(answer.n).toBe(42);
  });

  it('begins a burst of requests in several turns of the event loop, in order, and answers all of it before it is closed', async () => {
    let turn = 0;
    let counting = true;
    const count = (): void => {
      turn += 1;
      if (counting) setImmediate(count);
    };
    const begun: { n: number; turn: number }[] = [];
    let closed: Promise<void> | undefined;
    const one = await serve('spec.burst', {
      schema: numberSchema,
      concurrency: 1_000,
      handle: async ({ n }) => {
        begun.push({ n, turn });
        if (n === 0) {
          count();
          // Meanwhile everything comes to our socket.
          blockFor(200);
          closed = one.close();
        }
        await Promise.resolve();
        return { n };
      },
    });
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    const answers = await Promise.all(
      numbers.map((n) => asking.request('spec.burst', { n }, { schema: numberSchema })),
    );
    counting = false;
    await closed;
    expect(answers.map(({ n }) => n)).toEqual(numbers);
    expect(begun.map(({ n }) => n)).toEqual(numbers);
    expect(new Set(begun.map((each) => each.turn)).size).toBeGreaterThan(4);
  });

  it('rebuilds the error of the other side', async () => {
    await serve('spec.conflict', {
      schema: z.unknown(),
      handle: () =>
        Promise.reject(
          new TocsinError('TCN_VERSION_CONFLICT', 'moved on', {
            faults: [{ pointer: '/expect/node~1a', detail: 'is at 7' }],
            retryAfterMs: 10,
          }),
        ),
    });
    const error = await failure(asking.request('spec.conflict', {}));
    expect(error).toMatchObject({ code: 'TCN_VERSION_CONFLICT', message: 'moved on', retryAfterMs: 10 });
    expect(error.faults).toEqual([{ pointer: '/expect/node~1a', detail: 'is at 7' }]);
  });

  it('answers what it does not expect with TCN_INVALID and the fault, without calling the handler', async () => {
    let calls = 0;
    await serve('spec.strict', {
      schema: numberSchema,
      handle: () => {
        calls++;
        return Promise.resolve(null);
      },
    });
    const error = await failure(asking.request('spec.strict', { n: 'many' }));
    expect(error.code).toBe('TCN_INVALID');
    expect(error.faults[0]?.pointer).toBe('/n');
    expect(calls).toBe(0);
  });

  it('keeps an unexpected error to itself and tells its own side', async () => {
    const told: unknown[] = [];
    await serve('spec.broken', {
      schema: z.unknown(),
      handle: () => Promise.reject(new Error('SELECT secret')),
      onError: (error) => told.push(error),
    });
    const error = await failure(asking.request('spec.broken', {}));
    expect(error.code).toBe('TCN_INTERNAL');
    expect(error.message).not.toContain('secret');
    expect(told).toMatchObject([{ message: 'SELECT secret' }]);
  });

  it('fails at once where nobody serves: TCN_UNAVAILABLE', async () => {
    const start = performance.now();
    expect(await failure(asking.request('spec.nobody', {}))).toMatchObject({
      code: 'TCN_UNAVAILABLE',
      retryable: true,
    });
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('gives up after its time: TCN_TIMEOUT', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await serve('spec.slow', { schema: z.unknown(), handle: () => held });
    expect(await failure(asking.request('spec.slow', {}, { timeoutMs: 100 }))).toMatchObject({ code: 'TCN_TIMEOUT' });
    release?.();
  });

  it('does not hand on an answer that is not what was expected', async () => {
    await serve('spec.other', { schema: z.unknown(), handle: () => Promise.resolve({ n: 'x' }) });
    const error = await failure(asking.request('spec.other', {}, { schema: numberSchema }));
    expect(error).toMatchObject({ code: 'TCN_INTERNAL' });
  });

  it('names requests and answers that are too large', async () => {
    const huge = 'x'.repeat(9 * 1024 * 1024);
    await serve('spec.huge', { schema: z.unknown(), handle: () => Promise.resolve(huge) });
    expect(await failure(asking.request('spec.huge', { huge }))).toMatchObject({ code: 'TCN_TOO_LARGE' });
    expect(await failure(asking.request('spec.huge', {}))).toMatchObject({ code: 'TCN_TOO_LARGE' });
  });

  it('gives a request to one of a queue group', async () => {
    const took: string[] = [];
    for (const name of ['one', 'other']) {
      await serve('spec.queue', {
        queue: 'group',
        schema: z.unknown(),
        handle: () => {
          took.push(name);
          return Promise.resolve(name);
        },
      });
    }
    await Promise.all(Array.from({ length: 40 }, () => asking.request('spec.queue', {})));
    expect(took).toHaveLength(40);
    expect(new Set(took).size).toBe(2);
  });

  it('handles no more at once than allowed, queues some, and refuses the rest as TCN_OVERLOADED', async () => {
    let running = 0;
    let most = 0;
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await serve('spec.busy', {
      schema: z.unknown(),
      concurrency: 2,
      maxWaiting: 3,
      handle: async () => {
        most = Math.max(most, ++running);
        await held;
        running--;
      },
    });
    const asked = Array.from({ length: 8 }, () =>
      asking.request('spec.busy', {}).then(
        () => 'answered',
        (error: unknown) => (error as TocsinError).code,
      ),
    );
    await Promise.race(asked);
    release?.();
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'TCN_OVERLOADED')).toHaveLength(3);
    expect(most).toBe(2);
  });

  it('answers what is in hand before it has closed, and takes nothing after', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = false;
    const one = await serve('spec.closing', {
      schema: z.unknown(),
      handle: async () => {
        begun = true;
        await held;
        return 'done';
      },
    });
    const asked = asking.request<string>('spec.closing', {});
    await eventually('begun', () => begun);
    let closed = false;
    const closing = one.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(false);
    release?.();
    expect(await asked).toBe('done');
    await closing;
    expect(await failure(asking.request('spec.closing', {}))).toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });

  describe('trace context', () => {
    const KEY = Symbol('trace');
    const propagator: TextMapPropagator = {
      inject: (active, carrier, setter) => {
        const value = active.getValue(KEY);
        if (typeof value === 'string') setter.set(carrier, 'traceparent', value);
      },
      extract: (active, carrier, getter) => {
        const value = getter.get(carrier, 'traceparent');
        return typeof value === 'string' ? active.setValue(KEY, value) : active;
      },
      fields: () => ['traceparent'],
    };

    beforeAll(() => {
      context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
      propagation.setGlobalPropagator(propagator);
    });

    afterAll(() => {
      context.disable();
      propagation.disable();
      trace.disable();
    });

    it('of the caller is active in the handler', async () => {
      const seen: unknown[] = [];
      await serve('spec.traced', {
        schema: z.unknown(),
        handle: async () => {
          await Promise.resolve();
          seen.push(context.active().getValue(KEY));
        },
      });
      const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await context.with(context.active().setValue(KEY, parent), () => asking.request('spec.traced', {}));
      await asking.request('spec.traced', {});
      expect(seen).toEqual([parent, undefined]);
    });
  });
});

describe('across a loss of NATS', () => {
  it('fails requests in flight at once, tells listeners, and serves again after the restart', async () => {
    const told: string[] = [];
    const offs = [asking.onDisconnect(() => told.push('down')), asking.onReconnect(() => told.push('up'))];
    let begun = false;
    await serve('spec.lost', {
      schema: z.object({ hold: z.boolean() }),
      handle: ({ hold }) => {
        begun = true;
        return hold ? new Promise((resolve) => setTimeout(resolve, 1_000)) : Promise.resolve('here');
      },
    });
    const inFlight = failure(asking.request('spec.lost', { hold: true }, { timeoutMs: 60_000 }));
    await eventually('begun', () => begun);
    await nats.kill();
    expect(await inFlight).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    expect(asking.connected()).toBe(false);
    await expect(asking.check()).rejects.toMatchObject({ code: 'TCN_NATS_UNREACHABLE' });
    expect(await failure(asking.request('spec.lost', { hold: false }, { timeoutMs: 100 }))).toMatchObject({
      code: 'TCN_UNAVAILABLE',
    });
    // Asked while it is down: waits for the connection.
    const waiting = asking.request('spec.lost', { hold: false }, { timeoutMs: 30_000 }).catch(() => 'nobody yet');
    await nats.revive();
    expect(['here', 'nobody yet']).toContain(await waiting);
    await eventually('both connected', () => asking.connected() && serving.connected());
    await asking.check();
    await linkOf(serving).nats.flush();
    expect(await asking.request('spec.lost', { hold: false })).toBe('here');
    expect(told).toEqual(['down', 'up']);
    for (const off of offs) off();
  });

  it('notices within five seconds that the line has fallen silent, and comes back when it speaks again', async () => {
    const startedMs = performance.now();
    nats.fallSilent();
    try {
      const asked = failure(asking.request('spec.silent', {}, { timeoutMs: 60_000 }));
      expect(await asked).toMatchObject({ code: 'TCN_UNAVAILABLE' });
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      expect(asking.connected()).toBe(false);
    } finally {
      nats.speakAgain();
    }
    await eventually('both connected', () => asking.connected() && serving.connected());
  });

  it('takes no event loop that stood still for a silent line', async () => {
    let lost = 0;
    const off = asking.onDisconnect(() => (lost += 1));
    // Longer than a silent line is borne.
    blockFor(4_600);
    await linkOf(asking).nats.flush();
    expect(lost).toBe(0);
    off();
  });

  it('can be closed before what uses it: nothing hangs, nothing spins', async () => {
    const broker = await nats.broker();
    const serves = broker.serve('spec.orphan', { schema: z.unknown(), handle: () => Promise.resolve(1) });
    const bucket = await broker.kv('orphans');
    let complaints = 0;
    const watch = bucket.watch({ onPut: () => undefined, onDelete: () => undefined, onError: () => complaints++ });
    const abort = new AbortController();
    const following = followLog(broker, {
      after: 0,
      onEvents: () => Promise.resolve(),
      signal: abort.signal,
      onError: () => complaints++,
    });
    await serves.ready;
    await broker.close();
    const before = complaints;
    const cpu = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(complaints - before).toBeLessThan(20);
    const spent = process.cpuUsage(cpu);
    expect((spent.user + spent.system) / 1_000).toBeLessThan(250);
    abort.abort();
    await Promise.all([following, watch.close(), serves.close()]);
  });

  it('closes while NATS is down, and fails what waits for it', async () => {
    const broker = await nats.broker();
    await nats.kill();
    await eventually('noticed', () => !broker.connected());
    const waiting = failure(broker.request('spec.any', {}, { timeoutMs: 60_000 }));
    await broker.close();
    expect(await waiting).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    await nats.revive();
    await eventually('both connected', () => asking.connected() && serving.connected());
  });
});

async function listen(onSocket: (socket: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
