/** Points of each confirmed down. */
const POINTS_PER_DOWN = 1_000;
/** Damping is a matter of time, not of counts: half of what has happened is forgiven in this time. */
export const FLAP_HALF_LIFE_MS = 10 * 60_000;
/** Three downs at once start it … */
const STARTS_AT = 3_000;
/** … and it stops when only the weight of one is left. */
const STOPS_AT = 1_000;
/** However wildly a target has flapped, it is quiet after about 36 minutes: log2(12,000 / 1,000) half-lives. */
const CEILING = 12_000;
/** A down that has held so long is no flap: it is announced even while flapping. */
export const STEADY_DOWN_MS = 60_000;

/** How much a target has flapped lately. */
export interface FlapState {
  points: number;
  /** Monotonic time of `points`, milliseconds. */
  atMs: number;
  flapping: boolean;
}

/** Outcome of a step: the new state, and whether flapping has begun or ended by it. */
export interface FlapStep {
  state: FlapState;
  change?: 'started' | 'stopped';
}

/** A target that has never flapped. */
export const CALM: FlapState = { points: 0, atMs: 0, flapping: false };

/** A down was confirmed at `nowMs` (monotonic). */
export function flapped(state: FlapState, nowMs: number, halfLifeMs = FLAP_HALF_LIFE_MS): FlapStep {
  const points = Math.min(CEILING, pointsAt(state, nowMs, halfLifeMs) + POINTS_PER_DOWN);
  const starts = !state.flapping && points >= STARTS_AT;
  return {
    state: { points, atMs: nowMs, flapping: state.flapping || starts },
    ...(starts ? { change: 'started' } : {}),
  };
}

/** Time has passed until `nowMs` (monotonic). */
export function calmed(state: FlapState, nowMs: number, halfLifeMs = FLAP_HALF_LIFE_MS): FlapStep {
  const points = pointsAt(state, nowMs, halfLifeMs);
  if (!state.flapping || points > STOPS_AT) return { state };
  return { state: { points, atMs: nowMs, flapping: false }, change: 'stopped' };
}

/** When flapping stops if nothing more happens, monotonic milliseconds; undefined while calm. */
export function calmAtMs(state: FlapState, halfLifeMs = FLAP_HALF_LIFE_MS): number | undefined {
  if (!state.flapping) return undefined;
  return state.atMs + halfLifeMs * Math.max(0, Math.log2(state.points / STOPS_AT));
}

/** Points that are left at `nowMs` (monotonic). */
export function pointsAt(state: FlapState, nowMs: number, halfLifeMs = FLAP_HALF_LIFE_MS): number {
  return state.points * 2 ** (-Math.max(0, nowMs - state.atMs) / halfLifeMs);
}
