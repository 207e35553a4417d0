import type { Random } from '../clock.js';
import type { HealthPolicy } from './policy.js';
import type { HealthState } from './state.js';

/** Spread of the normal cadence: keeps targets that were declared together from being probed together. */
const JITTER = 0.1;
/** Spread of the fast cadence, where a common cause makes many targets suspect at once. */
const FAST_JITTER = 0.2;
/** For this long an outage is probed at the normal interval: most end soon, and a recovery should be noticed quickly. */
const EAGER_DOWN_MS = 5 * 60_000;
/** After that, at this one. */
const PATIENT_DOWN_INTERVAL_MS = 30_000;
/** Nobody waits longer than this for the first word on a target, however long its interval is. */
const MAX_FIRST_DELAY_MS = 30_000;

/** A number in [0, 1) that depends on the name alone: FNV-1a, its bits mixed so that similar names lie far apart. */
export function spreadOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Milliseconds to the first probe: within one interval for any number of targets, spread by name. */
export function firstProbeDelayMs(subject: string, policy: HealthPolicy): number {
  return spreadOf(subject) * Math.min(policy.intervalMs, MAX_FIRST_DELAY_MS);
}

/**
 * Milliseconds to the next probe. Normal probes keep to the target's own slots (hash of the subject modulo interval, with
 * jitter), so that they do not drift together.
 * @param nowMonoMs monotonic time
 * @param nowWallMs wall-clock time, for how long the target has been down
 */
export function nextProbeDelayMs(
  state: HealthState,
  policy: HealthPolicy,
  nowMonoMs: number,
  nowWallMs: number,
  random: Random,
): number {
  if (state.phase === 'suspect' || state.phase === 'recovering') {
    return policy.fastIntervalMs * (1 + FAST_JITTER * (2 * random() - 1));
  }
  const patient = state.phase === 'down' && nowWallMs - (state.sinceMs ?? nowWallMs) > EAGER_DOWN_MS;
  const intervalMs = patient ? Math.max(policy.intervalMs, PATIENT_DOWN_INTERVAL_MS) : policy.intervalMs;
  const offsetMs = spreadOf(state.subject) * intervalMs;
  const slot = Math.floor((nowMonoMs - offsetMs) / intervalMs + 0.5) + 1;
  const dueMs = offsetMs + slot * intervalMs + JITTER * intervalMs * (2 * random() - 1);
  return Math.max(0, dueMs - nowMonoMs);
}
