import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  it('lets a burst through after a pause, and then the rate', () => {
    const bucket = new TokenBucket(10, 3);
    const times: number[] = [];
    for (let nowMs = 0; nowMs < 1_000; nowMs += 1) {
      while (bucket.readyAt(nowMs) <= nowMs) {
        bucket.take(nowMs);
        times.push(nowMs);
      }
    }
    expect(times.slice(0, 5)).toEqual([0, 0, 0, 100, 200]);
    expect(times).toHaveLength(12);
  });

  it('is ready when it says it will be, at any rate', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 10_000, noNaN: true }),
        fc.integer({ min: 0, max: 10_000 }),
        (rate, at) => {
          const bucket = new TokenBucket(rate);
          bucket.take(at);
          const readyAt = bucket.readyAt(at);
          expect(bucket.readyAt(readyAt)).toBeLessThanOrEqual(readyAt);
          expect(readyAt - at).toBeLessThanOrEqual(Math.ceil(1_000 / rate) + 1);
        },
      ),
    );
  });

  it('gives nothing for a clock that is set back', () => {
    const bucket = new TokenBucket(1);
    bucket.take(10_000);
    expect(bucket.readyAt(5_000)).toBeGreaterThan(5_000);
  });
});
