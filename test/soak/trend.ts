/** One measured moment. */
export interface Point {
  /** Seconds since the beginning. */
  at: number;
  value: number;
}

/** What a series does over time, once the beginning is left out. */
export interface Trend {
  /** Points it was taken from. */
  points: number;
  mean: number;
  /** What the fitted line gains from its beginning to its end. */
  growth: number;
  /** Standard deviation of the points around the line. */
  noise: number;
  /** The most it may gain. */
  allowed: number;
  grows: boolean;
}

/** Fewer points say nothing. */
const LEAST_POINTS = 6;

/**
 * Fits a line through the points after `warmUp` seconds. It grows if it gains more than twice the noise, and more than `tolerance`
 * of its mean, and more than `least`: each alone is what a healthy process does.
 */
export function trendOf(all: readonly Point[], warmUp: number, tolerance: number, least = 0): Trend {
  const points = all.filter(({ at }) => at >= warmUp);
  if (points.length < LEAST_POINTS) {
    throw new RangeError(`${points.length} points after the first ${warmUp} s are too few to see a trend`);
  }
  const count = points.length;
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / count;
  const mean = points.reduce((sum, { value }) => sum + value, 0) / count;
  const spread = points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  const slope = points.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - mean), 0) / spread;
  const rest = points.reduce((sum, { at, value }) => sum + (value - mean - slope * (at - meanAt)) ** 2, 0);
  const noise = Math.sqrt(rest / (count - 2));
  const growth = slope * ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0));
  const allowed = Math.max(2 * noise, tolerance * Math.abs(mean), least);
  return { points: count, mean, growth, noise, allowed, grows: growth > allowed };
}
