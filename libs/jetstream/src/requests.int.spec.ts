import { TocsinError } from '@tocsin/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { blockFor, BrokerPair, failure } from './broker-pair.harness.js';
import { eventually } from './jetstream.harness.js';
import { carryMarks, marked, markHere } from './trace-mark.harness.js';

const numberSchema = z.object({ n: z.number() });

let pair: BrokerPair;
beforeAll(async () => {
  pair = await BrokerPair.start();
});
afterEach(() => pair.rest());
afterAll(() => pair.dispose());

describe('request and serve', () => {
  it('brings the payload there and the answer back', async () => {
    await pair.serve('spec.double', {
      schema: numberSchema,
      handle: ({ n }) => Promise.resolve({ n: n * 2 }),
    });
    const answer = await pair.asking.request('spec.double', { n: 21 }, { schema: numberSchema });
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
    const one = await pair.serve('spec.burst', {
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
      numbers.map((n) => pair.asking.request('spec.burst', { n }, { schema: numberSchema })),
    );
    counting = false;
    await closed;
    expect(answers.map(({ n }) => n)).toEqual(numbers);
    expect(begun.map(({ n }) => n)).toEqual(numbers);
    expect(new Set(begun.map((each) => each.turn)).size).toBeGreaterThan(4);
  });

  it('rebuilds the error of the other side', async () => {
    await pair.serve('spec.conflict', {
      schema: z.unknown(),
      handle: () =>
        Promise.reject(
          new TocsinError('TCN_VERSION_CONFLICT', 'moved on', {
            faults: [{ pointer: '/expect/node~1a', detail: 'is at 7' }],
            retryAfterMs: 10,
          }),
        ),
    });
    const error = await failure(pair.asking.request('spec.conflict', {}));
    expect(error).toMatchObject({ code: 'TCN_VERSION_CONFLICT', message: 'moved on', retryAfterMs: 10 });
    expect(error.faults).toEqual([{ pointer: '/expect/node~1a', detail: 'is at 7' }]);
  });

  it('answers what it does not expect with TCN_INVALID and the fault, without calling the handler', async () => {
    let calls = 0;
    await pair.serve('spec.strict', {
      schema: numberSchema,
      handle: () => {
        calls++;
        return Promise.resolve(null);
      },
    });
    const error = await failure(pair.asking.request('spec.strict', { n: 'many' }));
    expect(error.code).toBe('TCN_INVALID');
    expect(error.faults[0]?.pointer).toBe('/n');
    expect(calls).toBe(0);
  });

  it('keeps an unexpected error to itself and tells its own side', async () => {
    const told: unknown[] = [];
    await pair.serve('spec.broken', {
      schema: z.unknown(),
      handle: () => Promise.reject(new Error('SELECT secret')),
      onError: (error) => told.push(error),
    });
    const error = await failure(pair.asking.request('spec.broken', {}));
    expect(error.code).toBe('TCN_INTERNAL');
    expect(error.message).not.toContain('secret');
    expect(told).toMatchObject([{ message: 'SELECT secret' }]);
  });

  it('fails at once where nobody serves: TCN_UNAVAILABLE', async () => {
    const start = performance.now();
    expect(await failure(pair.asking.request('spec.nobody', {}))).toMatchObject({
      code: 'TCN_UNAVAILABLE',
      retryable: true,
    });
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('gives up after its time: TCN_TIMEOUT', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await pair.serve('spec.slow', { schema: z.unknown(), handle: () => held });
    expect(await failure(pair.asking.request('spec.slow', {}, { timeoutMs: 100 }))).toMatchObject({
      code: 'TCN_TIMEOUT',
    });
    release?.();
  });

  it('does not hand on an answer that is not what was expected', async () => {
    await pair.serve('spec.other', { schema: z.unknown(), handle: () => Promise.resolve({ n: 'x' }) });
    const error = await failure(pair.asking.request('spec.other', {}, { schema: numberSchema }));
    expect(error).toMatchObject({ code: 'TCN_INTERNAL' });
  });

  it('names requests and answers that are too large', async () => {
    const huge = 'x'.repeat(9 * 1024 * 1024);
    await pair.serve('spec.huge', { schema: z.unknown(), handle: () => Promise.resolve(huge) });
    expect(await failure(pair.asking.request('spec.huge', { huge }))).toMatchObject({ code: 'TCN_TOO_LARGE' });
    expect(await failure(pair.asking.request('spec.huge', {}))).toMatchObject({ code: 'TCN_TOO_LARGE' });
  });

  it('gives a request to one of a queue group', async () => {
    const took: string[] = [];
    for (const name of ['one', 'other']) {
      await pair.serve('spec.queue', {
        queue: 'group',
        schema: z.unknown(),
        handle: () => {
          took.push(name);
          return Promise.resolve(name);
        },
      });
    }
    await Promise.all(Array.from({ length: 40 }, () => pair.asking.request('spec.queue', {})));
    expect(took).toHaveLength(40);
    expect(new Set(took).size).toBe(2);
  });

  it('handles no more at once than allowed, queues some, and refuses the rest as TCN_OVERLOADED', async () => {
    let running = 0;
    let most = 0;
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await pair.serve('spec.busy', {
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
      pair.asking.request('spec.busy', {}).then(
        () => 'answered',
        (error: unknown) => `${(error as TocsinError).code}, back in ${(error as TocsinError).retryAfterMs} ms`,
      ),
    );
    await Promise.race(asked);
    release?.();
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'TCN_OVERLOADED, back in 200 ms')).toHaveLength(3);
    expect(most).toBe(2);
  });

  it('answers what is in hand before it has closed, and takes nothing after', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = false;
    const one = await pair.serve('spec.closing', {
      schema: z.unknown(),
      handle: async () => {
        begun = true;
        await held;
        return 'done';
      },
    });
    const asked = pair.asking.request<string>('spec.closing', {});
    await eventually('begun', () => begun);
    let closed = false;
    const closing = one.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(false);
    release?.();
    expect(await asked).toBe('done');
    await closing;
    expect(await failure(pair.asking.request('spec.closing', {}))).toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });

  it('has the trace context of the caller in the handler', async () => {
    const end = carryMarks();
    try {
      const seen: unknown[] = [];
      await pair.serve('spec.traced', {
        schema: z.unknown(),
        handle: async () => {
          await Promise.resolve();
          seen.push(markHere());
        },
      });
      const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await marked(parent, () => pair.asking.request('spec.traced', {}));
      await pair.asking.request('spec.traced', {});
      expect(seen).toEqual([parent, undefined]);
    } finally {
      end();
    }
  });
});
