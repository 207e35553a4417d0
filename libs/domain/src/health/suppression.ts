import { announcementAfter, factBetween, type HealthFact, type RecordedHealth } from './announcement.js';
import { STEADY_DOWN_MS } from './flapping.js';
import type { Transition } from './state.js';

/** Why a change is kept back. An overlay is no state: it lies over whatever state the target is in. */
export const OVERLAYS = ['maintenance', 'flapping', 'unreachable', 'storm'] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** What the log holds about a target: what was confirmed last and, where that was kept back, what was told last. */
export interface Standing extends RecordedHealth {
  /** What subscribers know, and why they know no more; absent where they know what was confirmed. */
  kept?: { told: RecordedHealth; because: readonly Overlay[] };
}

/** One change as it goes into the log. */
export interface HealthEntry {
  fact: HealthFact;
  transition: Transition;
  /** Present on what is stored and told to nobody: why, and what they know instead. */
  withheld?: { because: readonly Overlay[]; told: RecordedHealth };
  /** Present on the one event that makes up for what was kept back: what had kept it. */
  reconciles?: readonly Overlay[];
}

/** What subscribers know of a target. */
export function toldOf(standing: Standing): RecordedHealth {
  return standing.kept?.told ?? standing;
}

/**
 * The entry that a confirmed change makes in the log. Suppression deletes nothing: while an overlay lies over the target the change
 * is stored as withheld. Undefined where the log says so already. A first verdict `up` is told to nobody anyway.
 */
export function entryFor(
  standing: Standing,
  transition: Transition,
  overlays: readonly Overlay[],
): HealthEntry | undefined {
  const stored = announcementAfter(standing, transition);
  if (stored === undefined) return undefined;
  const told = toldOf(standing);
  if (overlays.length > 0 && stored.fact !== 'fresh') return { ...stored, withheld: { because: overlays, told } };
  const announced = announcementAfter(told, transition);
  if (announced !== undefined) return announced;
  // The truth comes back to what was told before anybody was told otherwise: stored, and nobody's news.
  return { ...stored, withheld: { because: standing.kept?.because ?? [], told } };
}

/**
 * The one event that is due where nothing keeps it back any more and the truth differs from what was told. A down that has held for
 * a minute is due even while the target flaps.
 * @param newest the change that was confirmed last
 * @param nowMs epoch milliseconds
 */
export function reconciliation(
  standing: Standing,
  newest: Transition,
  overlays: readonly Overlay[],
  nowMs: number,
): HealthEntry | undefined {
  const { kept } = standing;
  if (kept === undefined) return undefined;
  if (overlays.length > 0 && !steadyDown(standing, overlays, nowMs)) return undefined;
  const fact = factBetween(kept.told.announced, standing.announced);
  const due = announcementAfter(kept.told, { ...newest, to: standing.announced });
  return fact === undefined || due === undefined ? undefined : { ...due, reconciles: kept.because };
}

/** What the log holds after an entry. */
export function standingAfter({ transition, withheld }: HealthEntry): Standing {
  const { to, timeMs, episode } = transition;
  const confirmed: RecordedHealth = {
    announced: to,
    sinceMs: timeMs,
    ...(to === 'up' || episode === undefined ? {} : { episode }),
  };
  return withheld === undefined
    ? confirmed
    : { ...confirmed, kept: { told: withheld.told, because: withheld.because } };
}

/** Only flapping keeps it back, it is down, and has been for a minute. */
function steadyDown(standing: Standing, overlays: readonly Overlay[], nowMs: number): boolean {
  const flappingOnly = overlays.every((overlay) => overlay === 'flapping');
  return flappingOnly && standing.announced === 'down' && nowMs - (standing.sinceMs ?? nowMs) >= STEADY_DOWN_MS;
}
