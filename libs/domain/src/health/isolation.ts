import type { Instant } from './probe-result.js';

/** Share of canaries that must fail before an observer takes itself for cut off. */
const CANARY_SHARE = 2 / 3;
/** A single canary proves nothing: it may be the one that is dead. */
const MIN_CANARIES = 2;
/** Share and least number of an observer's `up` targets that turn suspect together while the others see them well. */
const SUSPECT_SHARE = 0.5;
const MIN_SUSPECTS = 5;

/** What an observer knows about its own way into the world. */
export interface IsolationSigns {
  /** Outcome of each canary: other observers, NATS, configured addresses. */
  canaries: readonly boolean[];
  /** Its targets that are up or suspect. */
  targetsUp: number;
  /** Of these, how many turned suspect within the last interval. */
  suspects: number;
  /** Of the votes on these, how many were refused. */
  refused: number;
}

/** Is this observer cut off? Then it may not judge anybody. */
export function isIsolated(signs: IsolationSigns): boolean {
  return canariesDead(signs.canaries) || strangelyAlone(signs);
}

/** Are the canaries well enough to judge again? A doubt about targets ends with the canaries, too. */
export function mayRejoin(canaries: readonly boolean[]): boolean {
  return !canariesDead(canaries);
}

function canariesDead(canaries: readonly boolean[]): boolean {
  if (canaries.length < MIN_CANARIES) return false;
  return canaries.filter((passes) => !passes).length >= canaries.length * CANARY_SHARE;
}

/** Most of the targets seem dead here, and those who were asked do not agree. */
function strangelyAlone({ targetsUp, suspects, refused }: IsolationSigns): boolean {
  return suspects >= MIN_SUSPECTS && suspects >= targetsUp * SUSPECT_SHARE && refused > suspects / 2;
}

/** How far wall clock and monotonic clock may drift apart during one probe before it says nothing: a step of the clock. */
const MAX_CLOCK_STEP_MS = 500;

/** Was the wall clock set between two moments? */
export function clockStepped(from: Instant, to: Instant): boolean {
  return Math.abs(to.wallMs - from.wallMs - (to.monoMs - from.monoMs)) > MAX_CLOCK_STEP_MS;
}
