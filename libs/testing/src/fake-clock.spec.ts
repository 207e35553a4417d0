import { describe, expect, it } from 'vitest';
import { FakeClock, seededRandom } from './fake-clock.js';

describe('FakeClock', () => {
  it('stands still until it is advanced, then moves both times', () => {
    const clock = new FakeClock('2026-01-01T00:00:00.000Z');
    expect([clock.now(), clock.monotonicMs()]).toEqual([Date.UTC(2026, 0, 1), 0]);
    clock.advance(1500);
    expect([clock.now(), clock.monotonicMs()]).toEqual([Date.UTC(2026, 0, 1, 0, 0, 1, 500), 1500]);
  });

  it('steps the wall clock alone', () => {
    const clock = new FakeClock(1000);
    clock.stepWall(-600);
    expect([clock.now(), clock.monotonicMs()]).toEqual([400, 0]);
  });

  it('refuses to let time pass backwards, and a start that is no time', () => {
    expect(() => new FakeClock().advance(-1)).toThrow(RangeError);
    expect(() => new FakeClock('yesterday')).toThrow('not a time: yesterday');
  });
});

describe('seededRandom', () => {
  it('repeats itself for a seed, differs for another, and stays in [0, 1)', () => {
    const take = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 1000 }, () => random());
    };
    expect(take(1)).toEqual(take(1));
    expect(take(1)).not.toEqual(take(2));
    expect(take(1).every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = take(1).reduce((sum, value) => sum + value, 0) / 1000;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });
});
