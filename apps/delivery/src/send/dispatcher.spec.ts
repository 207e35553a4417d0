import { BREAKER_FAILURES_IN_A_ROW, breakerRecords } from '@tocsin/domain';
import { FakeClock } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Dispatcher, ENDPOINT_SLOTS, MOST_RECORDING, PROCESS_SLOTS, type Send } from './dispatcher.js';
import { delivery, idleOwner } from './queue.harness.js';
import { type Delivery, SubscriptionQueue } from './subscription-queue.js';
import { TokenBucket } from './token-bucket.js';

/** Sends that end when the spec says so. */
class Sends {
  readonly open: {
    delivery: Delivery;
    queue: SubscriptionQueue;
    probe: boolean;
    answered: () => void;
    end: () => void;
  }[] = [];

  readonly send: Send = (one, queue, probe, answered): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      queue.finish(one);
      resolve();
    };
    this.open.push({ delivery: one, queue, probe, answered, end });
    return promise;
  };

  /** Ends the oldest, and lets what follows from it happen. */
  async endOne(): Promise<void> {
    this.open.shift()?.end();
    await vi.advanceTimersByTimeAsync(0);
  }
}

describe('Dispatcher', () => {
  let clock: FakeClock;
  let sends: Sends;
  let dispatcher: Dispatcher;

  beforeEach(() => {
    vi.useFakeTimers();
    clock = new FakeClock(1_000_000);
    sends = new Sends();
    dispatcher = new Dispatcher(clock, sends.send);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  function queue(name: string, endpoint: string, count: number, mayStart = true): SubscriptionQueue {
    const made = new SubscriptionQueue(name, idleOwner({ mayStart: () => mayStart }));
    made.endpoint = endpoint;
    for (let n = 1; n <= count; n += 1) made.add(delivery(n, `thing/${n}`));
    return made;
  }

  async function pass(ms: number): Promise<void> {
    clock.advance(ms);
    await vi.advanceTimersByTimeAsync(ms);
  }

  it('gives an endpoint it does not know a few requests at a time, and more as it takes them', async () => {
    const one = queue('s', 'a', 100);
    dispatcher.wake(one);
    expect(sends.open).toHaveLength(4);
    one.window.succeeded(4);
    await sends.endOne();
    expect(sends.open).toHaveLength(5);
  });

  it('lets no receiver have more than its share, however many subscriptions name it', () => {
    for (let n = 0; n < 40; n += 1) dispatcher.wake(queue(`s${n}`, 'the same', 10));
    expect(sends.open).toHaveLength(ENDPOINT_SLOTS);
    dispatcher.wake(queue('other', 'another', 10));
    expect(sends.open.filter((one) => one.queue.name === 'other')).toHaveLength(4);
  });

  it('gives a slot of a receiver that becomes free to another of its subscriptions', async () => {
    for (let n = 0; n < 40; n += 1) dispatcher.wake(queue(`s${n}`, 'the same', 4));
    const total = 160;
    for (let n = 0; n < total; n += 1) await sends.endOne();
    expect(sends.open).toHaveLength(0);
  });

  it('never has more requests in flight than the process has slots', () => {
    for (let n = 0; n < 200; n += 1) dispatcher.wake(queue(`s${n}`, `endpoint ${n}`, 10));
    expect(sends.open).toHaveLength(PROCESS_SLOTS);
  });

  it('gives a slot on at the answer, but lets no more answers wait to be recorded than may repeat after a crash', async () => {
    const one = queue('s', 'a', 1_000);
    dispatcher.wake(one);
    for (let n = 0; n < MOST_RECORDING; n += 1) sends.open[n]?.answered();
    expect(one.recording).toBe(MOST_RECORDING);
    expect(one.inFlight).toBe(3);
    await sends.endOne();
    expect(one.inFlight).toBe(4);
    for (let n = 0; n < 500 && sends.open.length > 0; n += 1) await sends.endOne();
    expect(one.recording).toBe(0);
  });

  it('goes round: nobody waits until somebody else is through', async () => {
    for (let n = 0; n < 130; n += 1) dispatcher.wake(queue(`s${n}`, `endpoint ${n}`, 1_000));
    const late = queue('late', 'late', 1);
    dispatcher.wake(late);
    for (let n = 0; n < 130 && late.size === 1 && late.inFlight === 0; n += 1) await sends.endOne();
    expect(late.inFlight).toBe(1);
  });

  it('starts nothing for a shard that may be somebody else’s', () => {
    dispatcher.wake(queue('s', 'a', 1, false));
    expect(sends.open).toHaveLength(0);
  });

  it('sleeps until something is due, and wakes by itself', async () => {
    const later = queue('s', 'a', 0);
    later.add(delivery(1, 'thing/1', clock.now() + 5_000));
    for (let n = 0; n < 1_000; n += 1) dispatcher.wake(later);
    expect(vi.getTimerCount()).toBe(1);
    await pass(4_999);
    expect(sends.open).toHaveLength(0);
    await pass(1);
    expect(sends.open).toHaveLength(1);
  });

  it('sends one probe at a time to an endpoint that rests, however much waits', async () => {
    const down = queue('s', 'a', 100);
    for (let n = 0; n < BREAKER_FAILURES_IN_A_ROW; n += 1) {
      down.breaker = breakerRecords(down.breaker, { signal: 'failure', probe: false, nowMs: clock.now() });
    }
    dispatcher.wake(down);
    expect(sends.open).toHaveLength(0);
    await pass(5_000);
    expect(sends.open.map(({ probe }) => probe)).toEqual([true]);
    await pass(30_000);
    expect(sends.open).toHaveLength(1);
  });

  it('keeps to the rate of a subscription', async () => {
    const limited = queue('s', 'a', 10);
    limited.rate = new TokenBucket(2);
    dispatcher.wake(limited);
    expect(sends.open).toHaveLength(1);
    await pass(499);
    expect(sends.open).toHaveLength(1);
    await pass(1);
    expect(sends.open).toHaveLength(2);
    await pass(500);
    expect(sends.open).toHaveLength(3);
  });

  it('starts nothing more when stopped, and waits for what is in flight', async () => {
    const one = queue('s', 'a', 10);
    dispatcher.wake(one);
    let stopped = false;
    const stopping = dispatcher.stop().then(() => (stopped = true));
    for (let n = 0; n < 3; n += 1) await sends.endOne();
    expect(stopped).toBe(false);
    await sends.endOne();
    await stopping;
    expect(one.size).toBe(6);
  });
});
