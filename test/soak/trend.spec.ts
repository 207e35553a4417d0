import { seededRandom } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { type Point, trendOf } from './trend.js';

const random = seededRandom(5);

/** A series of half an hour, a point every 15 s. */
function series(value: (at: number) => number): Point[] {
  return Array.from({ length: 120 }, (_, index) => ({ at: index * 15, value: value(index * 15) }));
}
const noisy = (base: number, noise: number) => base + (random() - 0.5) * 2 * noise;

describe('the trend of a series', () => {
  it('does not grow where there is only noise', () => {
    expect(
      trendOf(
        series(() => noisy(100, 8)),
        300,
        0.05,
      ),
    ).toMatchObject({ grows: false });
  });

  it('grows where a tenth is added in half an hour, under noise', () => {
    expect(
      trendOf(
        series((at) => noisy(100 + at / 120, 3)),
        300,
        0.05,
      ),
    ).toMatchObject({ grows: true });
  });

  it('leaves the beginning out', () => {
    const warmed = series((at) => noisy(at < 300 ? 50 + at / 6 : 100, 1));
    expect(trendOf(warmed, 300, 0.05).grows).toBe(false);
    expect(trendOf(warmed, 0, 0.05).grows).toBe(true);
  });

  it('does not take a handle more for growth', () => {
    const oneMore = series((at) => (at < 900 ? 20 : 21));
    expect(trendOf(oneMore, 300, 0, 3).grows).toBe(false);
    expect(
      trendOf(
        series((at) => 20 + Math.floor(at / 120)),
        300,
        0,
        3,
      ).grows,
    ).toBe(true);
  });

  it('does not grow where it falls', () => {
    expect(
      trendOf(
        series((at) => 1_000 - at / 10),
        300,
        0.05,
      ).grows,
    ).toBe(false);
  });

  it('says nothing from a handful of points', () => {
    expect(() => trendOf(series(() => 1).slice(0, 25), 300, 0.05)).toThrow(RangeError);
  });
});
