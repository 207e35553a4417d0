import { type AppendRequest, RPC, type SealedDestination, subscriptionSpecSchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { createLogger } from '@tocsin/platform';
import { FakeClock } from '@tocsin/testing';
import type { EventToSend } from '@tocsin/webhook';
import { beforeEach, describe, expect, it } from 'vitest';
import { AttemptTraces } from '../send/attempt-trace.js';
import { TEST_INTERVAL_MS, TestSender } from './test-sender.js';

const SPEC = subscriptionSpecSchema.parse({
  types: ['*'],
  destination: { kind: 'webhook', url: 'https://hooks.example.net/…' },
});
const SEALED: SealedDestination = {
  url: 'https://hooks.example.net/hush',
  headers: {},
  signingSecrets: [{ secret: 'whsec_new' }, { secret: 'whsec_old', notAfter: 1 }],
};
const REQUEST = { name: 's', actor: 'me', spec: SPEC, sealedRef: 'r', sealed: '' };

describe('TestSender', () => {
  const clock = new FakeClock();
  let appended: AppendRequest[];
  let sent: EventToSend[];
  let outcomes: string[];
  let beforeAppend: (request: AppendRequest) => void;
  let beforeSend: () => Promise<void>;
  let newest: object[];

  beforeEach(() => {
    [appended, sent, outcomes, newest] = [[], [], [], []];
    beforeAppend = () => undefined;
    beforeSend = async () => undefined;
  });

  const request = async (subject: string, payload: unknown) => {
    if (subject === RPC.logLatest) return { events: newest, versions: { 'subscription-test/s': 4 } };
    const append = payload as AppendRequest;
    beforeAppend(append);
    appended.push(append);
    const [event] = append.events;
    const recordedAt = new Date(clock.now()).toISOString();
    return { events: [{ id: event?.id, position: 70 + appended.length, version: 4 + appended.length, recordedAt }] };
  };

  const tests = () =>
    new TestSender({
      broker: { request: request as unknown as Broker['request'] },
      sender: {
        send: async (one) => {
          await beforeSend();
          sent.push(one);
          const facts = { phasesMs: { total: 12.345 }, reused: false, requestBytes: 1, responseBytes: 2 };
          return { kind: 'response', status: 503, headers: {}, bodyComplete: true, bodyHead: 'no', ...facts };
        },
      },
      destinations: { opened: () => SEALED },
      traces: new AttemptTraces({ of: async () => undefined }),
      statistics: { tested: (outcome) => outcomes.push(outcome) },
      clock,
      logger: createLogger({ name: 'spec', level: 'silent', format: 'json' }),
      signal: new AbortController().signal,
    });

  it('records the test, sends that, with what is sealed and the secrets in use, and records the answer', async () => {
    const reply = await tests().run(REQUEST);
    expect(reply).toMatchObject({ position: 71, delivered: false, outcome: 'retry', status: 503, recorded: true });
    expect(reply.phasesMs).toEqual({ total: 12.3 });
    const marks = { test: true, withheld: 'test' };
    expect(appended).toMatchObject([
      { events: [{ type: 'io.tocsin.subscription.test', extensions: marks }], expect: { 'subscription-test/s': 4 } },
      { events: [{ type: 'io.tocsin.subscription.tested', extensions: marks, data: { test: 71, status: 503 } }] },
    ]);
    expect(appended[1]?.expect).toBeUndefined();
    expect(sent).toMatchObject([
      {
        destination: { url: SEALED.url },
        secrets: ['whsec_new'],
        event: { position: 71, version: 5, extensions: marks },
      },
    ]);
    expect(outcomes).toEqual(['retry']);
  });

  it('sends nothing that the log does not have', async () => {
    beforeAppend = () => {
      throw new TocsinError('TCN_UNAVAILABLE', 'nobody answers');
    };
    await expect(tests().run(REQUEST)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    expect(sent).toEqual([]);
  });

  it('says so where the answer could not be recorded', async () => {
    beforeAppend = ({ events: [event] }) => {
      if (event?.type.endsWith('.tested')) throw new TocsinError('TCN_UNAVAILABLE', 'nobody answers');
    };
    expect(await tests().run(REQUEST)).toMatchObject({ status: 503, recorded: false });
  });

  it('keeps the time between two tests, by the log', async () => {
    const recordedAt = (agoMs: number) => new Date(clock.now() - agoMs).toISOString();
    const at = (agoMs: number) => ({ id: 'e', source: 's', type: 't', subject: 's', recordedtime: recordedAt(agoMs) });
    newest = [at(500)];
    const refused = { code: 'TCN_OVERLOADED', retryAfterMs: TEST_INTERVAL_MS - 500 };
    await expect(tests().run(REQUEST)).rejects.toMatchObject(refused);
    // Its clock is ahead of this one: not for as long as that.
    newest = [at(-60_000)];
    await expect(tests().run(REQUEST)).rejects.toMatchObject({ ...refused, retryAfterMs: TEST_INTERVAL_MS });
    newest = [at(TEST_INTERVAL_MS)];
    expect(await tests().run(REQUEST)).toMatchObject({ recorded: true });
    beforeAppend = () => {
      throw new TocsinError('TCN_VERSION_CONFLICT', 'somebody was first');
    };
    await expect(tests().run(REQUEST)).rejects.toMatchObject({ ...refused, retryAfterMs: TEST_INTERVAL_MS });
    expect(sent).toHaveLength(1);
  });

  it('makes eight at once and no more', async () => {
    const gate = Promise.withResolvers<void>();
    beforeSend = () => gate.promise;
    const sender = tests();
    const eight = Array.from({ length: 8 }, () => sender.run(REQUEST));
    await expect(sender.run(REQUEST)).rejects.toMatchObject({ code: 'TCN_OVERLOADED' });
    gate.resolve();
    await Promise.all(eight);
    expect(await sender.run(REQUEST)).toMatchObject({ recorded: true });
  });
});
