import { describe, expect, it } from 'vitest';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import { type Delivery, laneOf, type QueueOwner, SubscriptionQueue } from './subscription-queue.js';

const owner: QueueOwner = {
  ledger: undefined as unknown as ShardLedger,
  mayStart: () => true,
  accounted: () => undefined,
  settled: () => undefined,
  disable: () => undefined,
};

function delivery(position: number, subject: string, nextAt = 0, ordered = true): Delivery {
  return {
    subscription: 's',
    position,
    subject,
    lane: laneOf(ordered, subject, position),
    attempts: 0,
    nextAt,
    since: 0,
    event: undefined,
    hasRow: false,
  };
}

describe('SubscriptionQueue', () => {
  it('has one delivery of a subject in flight at a time, in order of position', () => {
    const queue = new SubscriptionQueue('s', owner);
    const [first, second, other] = [delivery(1, 'node/a'), delivery(2, 'node/a'), delivery(3, 'node/b')];
    for (const one of [first, second, other]) queue.add(one);
    expect(queue.take(0)).toBe(first);
    expect(queue.take(0)).toBe(other);
    expect(queue.take(0)).toBeUndefined();
    queue.finish(first);
    expect(queue.take(0)).toBe(second);
  });

  it('lets a failing subject hold only itself', () => {
    const queue = new SubscriptionQueue('s', owner);
    const [failing, behind, other] = [delivery(1, 'node/a'), delivery(2, 'node/a'), delivery(3, 'node/b')];
    for (const one of [failing, behind, other]) queue.add(one);
    expect(queue.take(0)).toBe(failing);
    queue.putBack(failing, 5_000);
    expect(queue.take(0)).toBe(other);
    expect(queue.take(4_999)).toBeUndefined();
    expect(queue.nextDueAt()).toBe(5_000);
    expect(queue.take(5_000)).toBe(failing);
  });

  it('sends what is not ordered side by side', () => {
    const queue = new SubscriptionQueue('s', owner);
    const [first, second] = [delivery(1, 'node/a', 0, false), delivery(2, 'node/a', 0, false)];
    queue.add(first);
    queue.add(second);
    expect(queue.take(0)).toBe(first);
    expect(queue.take(0)).toBe(second);
  });

  it('holds every lane while the endpoint is held', () => {
    const queue = new SubscriptionQueue('s', owner);
    queue.add(delivery(1, 'node/a'));
    queue.heldUntil = 1_000;
    expect(queue.take(999)).toBeUndefined();
    expect(queue.nextDueAt()).toBe(1_000);
    expect(queue.take(1_000)?.position).toBe(1);
  });

  it('puts an older delivery that comes back in front, but never beside the one in flight', () => {
    const queue = new SubscriptionQueue('s', owner);
    const [inFlight, waiting, late] = [delivery(5, 'node/a'), delivery(6, 'node/a'), delivery(2, 'node/a')];
    queue.add(inFlight);
    queue.add(waiting);
    expect(queue.take(0)).toBe(inFlight);
    queue.add(late);
    expect(queue.take(0)).toBeUndefined();
    queue.finish(inFlight);
    expect(queue.take(0)).toBe(late);
    expect(queue.size).toBe(2);
  });
});
