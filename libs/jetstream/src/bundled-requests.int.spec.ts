import { TocsinError } from '@tocsin/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Broker } from './broker.js';
import { BrokerPair, failure } from './broker-pair.harness.js';
import { eventually } from './jetstream.harness.js';
import { linkOf } from './link-registry.js';
import { carryMarks, marked, markHere } from './trace-mark.harness.js';

const numberSchema = z.object({ n: z.number() });
const textSchema = z.object({ text: z.string() });

let pair: BrokerPair;
beforeAll(async () => {
  pair = await BrokerPair.start();
});
let witnessing: Broker | undefined;
afterEach(async () => {
  await pair.rest();
  await witnessing?.close();
  witnessing = undefined;
});
afterAll(() => pair.dispose());

/** How many requests each message on a subject and its bundles holds; null for one that travelled alone. Whoever listens answers for NATS. */
async function witness(
  ...subjects: string[]
): Promise<{ messages: (number | null)[]; saw(count: number): Promise<void> }> {
  witnessing = await pair.nats.broker('witness');
  const { nats } = linkOf(witnessing);
  const messages: (number | null)[] = [];
  for (const subject of subjects) {
    nats.subscribe(subject, {
      callback: (_, { data }) => {
        const content: unknown = JSON.parse(Buffer.from(data).toString());
        messages.push(Array.isArray(content) ? content.length : null);
      },
    });
  }
  await nats.flush();
  return { messages, saw: (count) => eventually(`${count} messages`, () => messages.length === count) };
}

async function serveDouble(bundled: boolean): Promise<void> {
  await pair.serve('spec.double', {
    schema: numberSchema,
    bundled,
    handle: ({ n }) => {
      if (n % 10 === 7) throw new TocsinError('TCN_VERSION_CONFLICT', `${n} is not to be doubled`);
      return Promise.resolve({ n: n * 2 });
    },
  });
}

const double = (n: unknown): Promise<unknown> =>
  pair.asking.request('spec.double', { n }, { schema: numberSchema, bundled: true }).then(
    (answer) => answer.n,
    (error: unknown) => `${(error as TocsinError).code}: ${(error as TocsinError).message}`,
  );

const asked = (count: number): Promise<unknown[]> => Promise.all(Array.from({ length: count }, (_, n) => double(n)));
const doubled = (count: number): unknown[] =>
  Array.from({ length: count }, (_, n) => (n % 10 === 7 ? `TCN_VERSION_CONFLICT: ${n} is not to be doubled` : n * 2));

describe('requests of one turn of the event loop', () => {
  it('travel together, thirty-two at most, and each gets its own answer or error', async () => {
    await serveDouble(true);
    const { messages, saw } = await witness('spec.double', 'spec.double.bundle');
    expect(await asked(100)).toEqual(doubled(100));
    await saw(4);
    expect(messages).toEqual([32, 32, 32, 4]);
  });

  it('do not wait for others: one that is alone is an ordinary request', async () => {
    await serveDouble(true);
    const { messages, saw } = await witness('spec.double', 'spec.double.bundle');
    expect(await double(21)).toBe(42);
    await saw(1);
    expect(messages).toEqual([null]);
  });

  it('go one by one to whoever takes no bundles', async () => {
    await serveDouble(false);
    const { messages, saw } = await witness('spec.double');
    expect(await asked(20)).toEqual(doubled(20));
    await saw(20);
    expect(new Set(messages)).toEqual(new Set([null]));
  });

  it('are not held up by one that nobody understands', async () => {
    await serveDouble(true);
    const { messages, saw } = await witness('spec.double', 'spec.double.bundle');
    const answers = await Promise.all([double(1), double('many'), double(2)]);
    expect(answers[0]).toBe(2);
    expect(answers[1]).toMatch(/^TCN_INVALID: /);
    expect(answers[2]).toBe(4);
    await saw(1);
    expect(messages).toEqual([3]);
  });

  it('share a message only while it stays small', async () => {
    await pair.serve('spec.length', {
      schema: textSchema,
      bundled: true,
      handle: ({ text }) => Promise.resolve(text.length),
    });
    const { messages, saw } = await witness('spec.length', 'spec.length.bundle');
    const lengths = [30_000, 30_000, 30_000, 200_000, 10, 20];
    const answers = await Promise.all(
      lengths.map((length) =>
        pair.asking.request<number>('spec.length', { text: 'ä'.repeat(length) }, { bundled: true }),
      ),
    );
    expect(answers).toEqual(lengths);
    await saw(4);
    expect(messages).toEqual([2, null, null, 2]);
  });

  it('count by themselves where only so many are handled at once', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    await pair.serve('spec.busy', {
      schema: z.unknown(),
      bundled: true,
      concurrency: 2,
      maxWaiting: 3,
      handle: async () => {
        running += 1;
        await held;
        return null;
      },
    });
    const outcomes = Array.from({ length: 8 }, () =>
      pair.asking.request('spec.busy', {}, { bundled: true }).then(
        () => 'answered',
        (error: unknown) => (error as TocsinError).code,
      ),
    );
    await eventually('begun', () => running === 2);
    release?.();
    expect((await Promise.all(outcomes)).toSorted()).toEqual([
      ...Array<string>(3).fill('TCN_OVERLOADED'),
      ...Array<string>(5).fill('answered'),
    ]);
  });

  it('are all answered before whoever serves them has closed', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = 0;
    const one = await pair.serve('spec.closing', {
      schema: numberSchema,
      bundled: true,
      handle: async ({ n }) => {
        begun += 1;
        await held;
        return n;
      },
    });
    const answers = Promise.all([1, 2, 3].map((n) => pair.asking.request('spec.closing', { n }, { bundled: true })));
    await eventually('begun', () => begun === 3);
    const closing = one.close();
    release?.();
    expect(await answers).toEqual([1, 2, 3]);
    await closing;
    const late = [1, 2].map((n) => failure(pair.asking.request('spec.closing', { n }, { bundled: true })));
    expect(await Promise.all(late)).toMatchObject([{ code: 'TCN_UNAVAILABLE' }, { code: 'TCN_UNAVAILABLE' }]);
  });

  it('each end with TCN_TIMEOUT where no answer comes in time', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await pair.serve('spec.slow', {
      schema: numberSchema,
      bundled: true,
      handle: ({ n }) => (n === 1 ? held : Promise.resolve()),
    });
    const late = [1, 2].map((n) => failure(pair.asking.request('spec.slow', { n }, { bundled: true, timeoutMs: 100 })));
    const codes = (await Promise.all(late)).map(({ code }) => code);
    release?.();
    expect(codes).toEqual(['TCN_TIMEOUT', 'TCN_TIMEOUT']);
  });

  it('each end with an error where what comes back is not one answer each', async () => {
    const { nats } = linkOf(pair.serving);
    const replies = ['[]', '{"ok":false,"error":{"code":"TCN_OVERLOADED","detail":"all of them"}}', 'nonsense'];
    const subscription = nats.subscribe('spec.odd.bundle', {
      callback: (_, message) => void message.respond(replies.shift() ?? ''),
    });
    await nats.flush();
    const codes: string[][] = [];
    while (replies.length > 0) {
      const both = [1, 2].map((n) => failure(pair.asking.request('spec.odd', { n }, { bundled: true })));
      codes.push((await Promise.all(both)).map(({ code }) => code));
    }
    subscription.unsubscribe();
    expect(codes).toEqual([
      ['TCN_INTERNAL', 'TCN_INTERNAL'],
      ['TCN_OVERLOADED', 'TCN_OVERLOADED'],
      ['TCN_INTERNAL', 'TCN_INTERNAL'],
    ]);
  });

  it('are refused as TCN_INVALID where a message is no bundle', async () => {
    await serveDouble(true);
    const tooMany = Array.from({ length: 1_001 }, (_, n) => ({ payload: { n } }));
    for (const payload of [{ n: 1 }, [], [{ trace: 7, payload: 1 }], tooMany]) {
      expect(await failure(pair.asking.request('spec.double.bundle', payload))).toMatchObject({ code: 'TCN_INVALID' });
    }
  });

  it('keep the trace context of their callers', async () => {
    const end = carryMarks();
    try {
      const seen: unknown[] = [];
      await pair.serve('spec.traced', {
        schema: numberSchema,
        bundled: true,
        handle: async ({ n }) => {
          await Promise.resolve();
          seen[n] = markHere();
        },
      });
      const { messages, saw } = await witness('spec.traced', 'spec.traced.bundle');
      const request = (n: number) => pair.asking.request('spec.traced', { n }, { bundled: true });
      await Promise.all([marked('one', () => request(0)), request(1), marked('other', () => request(2))]);
      expect(seen).toEqual(['one', undefined, 'other']);
      await saw(1);
      expect(messages).toEqual([3]);
    } finally {
      end();
    }
  });
});
