import { describe, expect, it } from 'vitest';
import { delivery, queueOf } from './queue.harness.js';

describe('SubscriptionQueue', () => {
  it('has one delivery of a subject in flight at a time, in order of position', () => {
    const queue = queueOf();
    const [first, second, other] = [delivery(1, 'node/a'), delivery(2, 'node/a'), delivery(3, 'node/b')];
    for (const one of [first, second, other]) queue.add(one);
    expect(queue.take(0)).toBe(first);
    expect(queue.take(0)).toBe(other);
    expect(queue.take(0)).toBeUndefined();
    queue.finish(first);
    expect(queue.take(0)).toBe(second);
  });

  it('lets a failing subject hold only itself', () => {
    const queue = queueOf();
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
    const queue = queueOf();
    const [first, second] = [delivery(1, 'node/a', 0, false), delivery(2, 'node/a', 0, false)];
    queue.add(first);
    queue.add(second);
    expect(queue.take(0)).toBe(first);
    expect(queue.take(0)).toBe(second);
  });

  it('holds every lane while the endpoint is held', () => {
    const queue = queueOf();
    queue.add(delivery(1, 'node/a'));
    queue.heldUntil = 1_000;
    expect(queue.take(999)).toBeUndefined();
    expect(queue.nextDueAt()).toBe(1_000);
    expect(queue.take(1_000)?.position).toBe(1);
  });

  it('puts an older delivery that comes back in front, but never beside the one in flight', () => {
    const queue = queueOf();
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

  it('lets a newer event take the place of older ones that wait, where only the latest counts', () => {
    const queue = queueOf({}, true);
    const [inFlight, waiting, newest, other] = [
      delivery(1, 'node/a'),
      delivery(2, 'node/a'),
      delivery(3, 'node/a'),
      delivery(4, 'node/b'),
    ];
    expect(queue.add(inFlight)).toEqual([]);
    expect(queue.take(0)).toBe(inFlight);
    expect(queue.add(waiting)).toEqual([]);
    expect(queue.add(newest)).toEqual([waiting]);
    expect(queue.add(other)).toEqual([]);
    expect(queue.newerThan(inFlight)).toBe(newest);
    queue.finish(inFlight);
    expect([queue.take(0), queue.take(0), queue.take(0)]).toEqual([newest, other, undefined]);
  });

  it('refuses an older event where a newer one of its subject waits and only the latest counts', () => {
    const queue = queueOf({}, true);
    const [newer, older] = [delivery(5, 'node/a'), delivery(2, 'node/a')];
    queue.add(newer);
    expect(queue.add(older)).toEqual([older]);
    expect(queue.size).toBe(1);
  });

  it('brings forward what somebody wants now, and leaves what is in flight alone', () => {
    const queue = queueOf();
    const [later, flying] = [delivery(1, 'node/a', 9_000), delivery(2, 'node/b')];
    queue.add(later);
    queue.add(flying);
    expect(queue.take(0)).toBe(flying);
    queue.hurry(flying, 10);
    queue.hurry(later, 10);
    expect(queue.take(10)).toBe(later);
    expect(queue.take(10)).toBeUndefined();
  });
});
