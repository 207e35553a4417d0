import { subscriptionSpecSchema } from '@tocsin/contracts';
import { type RecordedEvent, TocsinError } from '@tocsin/domain';
import { createLogger } from '@tocsin/platform';
import { FakeClock } from '@tocsin/testing';
import type { AttemptOutcome, EventToSend } from '@tocsin/webhook';
import { beforeEach, describe, expect, it } from 'vitest';
import { LedgerBatch } from '../ledger/ledger-batch.js';
import type { AttemptRecord, DeadRecord, PendingRecord } from '../ledger/records.js';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import type { Learnt } from '../retry/endpoint-watch.js';
import { AttemptSender } from './attempt-sender.js';
import { AttemptTraces } from './attempt-trace.js';
import { DeliveryStatistics } from './delivery-statistics.js';
import { delivery, idleOwner } from './queue.harness.js';
import { type Delivery, SubscriptionQueue } from './subscription-queue.js';

const NOW = Date.UTC(2030, 0, 1);
const facts = { phasesMs: { total: 1 }, reused: false, requestBytes: 1, responseBytes: 0, bodyHead: '' };

function answer(status: number, retryAfterMs?: number): AttemptOutcome {
  return {
    kind: 'response',
    status,
    headers: {},
    bodyComplete: true,
    ...facts,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
const aborted: AttemptOutcome = { kind: 'error', errorClass: 'aborted', detail: 'stopping', ...facts };

/** Keeps what is written instead of writing it. */
class KeptBatch extends LedgerBatch {
  readonly attempts: AttemptRecord[] = [];
  readonly rows: [number, PendingRecord | null][] = [];

  override attempt(record: AttemptRecord): void {
    this.attempts.push(record);
  }

  override pending(_subscription: string, position: number, record: PendingRecord | null): void {
    this.rows.push([position, record === null ? null : { ...record }]);
  }
}

describe('AttemptSender', () => {
  let clock: FakeClock;
  let batch: KeptBatch;
  let outcome: AttemptOutcome | Error;
  let sent: EventToSend[];
  let learnt: Learnt[];
  let buried: [number, DeadRecord['reason']][];
  let superseded: [number, number][];
  let spec: ReturnType<typeof subscriptionSpecSchema.parse> | undefined;
  let destinations: () => Promise<never> | undefined;

  beforeEach(() => {
    clock = new FakeClock(NOW);
    batch = new KeptBatch();
    outcome = answer(204);
    [sent, learnt, buried, superseded] = [[], [], [], []];
    destinations = () => undefined;
    spec = subscriptionSpecSchema.parse({ types: ['*'], destination: { kind: 'webhook', url: 'http://receiver/' } });
  });

  async function attempt(queue: SubscriptionQueue, one: Delivery): Promise<void> {
    const revision = () =>
      spec === undefined
        ? undefined
        : { name: 's', shard: 0, fromPosition: 1, toPosition: undefined, spec, sealedRef: 'r', history: undefined };
    const sender = new AttemptSender({
      sender: {
        send: async (request) => {
          sent.push(request);
          if (outcome instanceof Error) throw outcome;
          return outcome;
        },
      },
      destinations: {
        of: async () =>
          (await destinations()) ?? {
            url: 'http://receiver/secret',
            headers: {},
            signingSecrets: [{ secret: 'whsec_a' }],
          },
      },
      book: { current: revision },
      log: { at: async (position) => event(position) },
      statistics: new DeliveryStatistics(),
      traces: new AttemptTraces({ of: async () => undefined }),
      clock,
      random: () => 0.5,
      logger: createLogger({ name: 'spec', level: process.env['SPEC_LOG'] ?? 'silent', format: 'json' }),
      worker: 'w',
    });
    queue.add(one);
    expect(queue.take(clock.now())).toBe(one);
    await sender.send(one, queue, false, () => queue.answered(one));
  }

  function event(position: number): RecordedEvent {
    const at = new Date(NOW - 5).toISOString();
    return {
      id: `e${position}`,
      source: 'https://producer/',
      type: 'com.acme.x',
      subject: 'thing/a',
      time: at,
      position,
      version: 1,
      recordedAt: at,
      extensions: {},
    };
  }

  function queueOf(latestOnly = false): SubscriptionQueue {
    const ledger = {
      write: async (add: (into: LedgerBatch) => void) => add(batch),
    } as unknown as ShardLedger;
    const owner = idleOwner({
      ledger,
      learnt: (_queue, one) => learnt.push(one),
      bury: (one, reason) => buried.push([one.position, reason]),
      supersede: (one, by) => superseded.push([one.position, by]),
    });
    return new SubscriptionQueue('s', owner, latestOnly);
  }

  it('frees its slot at the answer, and holds its lane until that is committed', async () => {
    const queue = queueOf();
    const committed = Promise.withResolvers<void>();
    Object.assign(queue.shard.ledger, { write: () => committed.promise });
    const [one, next, other] = [delivery(7, 'thing/a'), delivery(8, 'thing/a'), delivery(9, 'thing/b')];
    queue.add(next);
    queue.add(other);
    const made = attempt(queue, one);
    await expect.poll(() => queue.recording).toBe(1);
    expect(queue.inFlight).toBe(0);
    expect([queue.take(clock.now()), queue.take(clock.now())]).toEqual([other, undefined]);
    committed.resolve();
    await made;
    expect(queue.recording).toBe(0);
    expect(queue.take(clock.now())).toBe(next);
  });

  it('records a success and lets the delivery go', async () => {
    const queue = queueOf();
    const one = { ...delivery(7, 'thing/a'), hasRow: true };
    await attempt(queue, one);
    expect(sent[0]).toMatchObject({ destination: { url: 'http://receiver/secret' }, secrets: ['whsec_a'] });
    expect(batch.attempts).toMatchObject([
      { position: 7, number: 1, delivered: true, outcome: 'delivered', status: 204 },
    ]);
    expect(batch.rows).toEqual([[7, null]]);
    expect(queue.size).toBe(0);
  });

  it('writes down when a failed one is due again, by the schedule', async () => {
    const queue = queueOf();
    outcome = answer(503);
    await attempt(queue, delivery(7, 'thing/a'));
    expect(batch.attempts).toMatchObject([{ delivered: false, outcome: 'retry', nextAt: NOW + 2_000 }]);
    expect(batch.rows).toMatchObject([[7, { attempts: 1, nextAt: NOW + 2_000 }]]);
    expect(queue.nextDueAt()).toBe(NOW + 2_000);
    expect(learnt).toMatchObject([{ verdict: 'retry', signal: 'failure', answer: '503', position: 7 }]);
  });

  it('goes by the subscription’s own schedule', async () => {
    spec = subscriptionSpecSchema.parse({ ...spec, retry: { schedule: ['7s'] } });
    const queue = queueOf();
    outcome = answer(503);
    const one = delivery(7, 'thing/a');
    await attempt(queue, one);
    expect(one.nextAt).toBe(NOW + 7_000);
    clock.advance(7_000);
    queue.finish(one);
    await attempt(queue, one);
    expect(buried).toEqual([[7, 'schedule-exhausted']]);
    expect(queue.size).toBe(0);
  });

  it('waits as long as it is asked to', async () => {
    outcome = answer(429, 90_000);
    const one = delivery(7, 'thing/a');
    await attempt(queueOf(), one);
    expect(one.nextAt).toBe(NOW + 90_000);
    expect(learnt[0]?.retryAfterMs).toBe(90_000);
  });

  it('gives up at once what no retry can heal', async () => {
    outcome = answer(413);
    await attempt(queueOf(), delivery(7, 'thing/a'));
    expect(buried).toEqual([[7, 'rejected']]);
    expect(batch.attempts).toMatchObject([{ outcome: 'dead', status: 413 }]);
  });

  it('does not count an attempt that was broken off', async () => {
    outcome = aborted;
    const queue = queueOf();
    const one = delivery(7, 'thing/a');
    await attempt(queue, one);
    expect([one.attempts, batch.attempts, learnt]).toEqual([0, [], []]);
    expect(queue.take(clock.now())).toBe(one);
  });

  it('gives up what cannot be rendered, instead of holding everything behind it', async () => {
    outcome = new TocsinError('TCN_INVALID', 'no usable signing secret');
    const queue = queueOf();
    await attempt(queue, delivery(7, 'thing/a'));
    expect(buried).toEqual([[7, 'not-rendered']]);
    expect([queue.size, queue.heldUntil]).toEqual([0, 0]);
  });

  it('waits, without an attempt, for a registry that does not answer', async () => {
    destinations = () => Promise.reject(new TocsinError('TCN_UNAVAILABLE', 'nobody answers'));
    const queue = queueOf();
    const one = delivery(7, 'thing/a');
    await attempt(queue, one);
    expect([one.attempts, queue.heldUntil, queue.size]).toEqual([0, NOW + 1_000, 1]);
    expect(sent).toEqual([]);
  });

  it('sends nothing for a subscription that is gone', async () => {
    spec = undefined;
    const queue = queueOf();
    await attempt(queue, delivery(7, 'thing/a'));
    expect([sent, buried, queue.size]).toEqual([[], [[7, 'subscription-removed']], 0]);
  });

  it('lets a failed one give way to a newer event of its subject, where only the latest counts', async () => {
    outcome = answer(503);
    const queue = queueOf(true);
    const old = delivery(7, 'thing/a');
    const newer = delivery(9, 'thing/a');
    const attempting = attempt(queue, old);
    queue.add(newer);
    await attempting;
    expect(superseded).toEqual([[7, 9]]);
    expect(batch.rows).toEqual([]);
    expect(queue.take(clock.now())).toBe(newer);
  });
});
