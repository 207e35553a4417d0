import { STEADY_DOWN_MS } from './flapping.js';
import type { AnnouncedHealth, Transition } from './state.js';

/** Why a change is kept back. An overlay is no state: it lies over whatever state the target is in. */
export type Overlay = 'maintenance' | 'flapping' | 'unreachable' | 'storm';

/** A change that was stored and told to nobody. */
export interface Withheld {
  transition: Transition;
  because: readonly Overlay[];
}

/** What was told of a target, and what was kept back since. */
export interface Suppression {
  /** What was announced last. */
  announced: AnnouncedHealth;
  /** Its open episode. */
  episode?: string;
  overlays: readonly Overlay[];
  /** Changes since the last announcement, oldest first. */
  withheld: readonly Withheld[];
}

export type SuppressionInput =
  | { kind: 'transition'; transition: Transition }
  | { kind: 'overlay'; overlay: Overlay; on: boolean }
  /** Time has passed, epoch milliseconds. */
  | { kind: 'tick'; nowMs: number };

/**
 * `announce`: send it. `store`: record it as suppressed, send it to nobody. `reconcile`: the newest of those kept back, with
 * `from` as announced last: one event for all of them, sent because the truth differs from what was told.
 */
export type SuppressionEffect =
  { kind: 'announce' | 'reconcile'; transition: Transition } | { kind: 'store'; withheld: Withheld };

export interface SuppressionDecision {
  state: Suppression;
  effects: readonly SuppressionEffect[];
}

/** Nothing is kept back yet. */
export function unsuppressed(announced: AnnouncedHealth, episode?: string): Suppression {
  return { announced, overlays: [], withheld: [], ...(episode === undefined ? {} : { episode }) };
}

/**
 * Suppression deletes nothing. While an overlay lies over a target its changes are stored as withheld; when the last one is
 * lifted, the state then is compared with what was announced last, and one event is sent if they differ.
 */
export function suppress(state: Suppression, input: SuppressionInput): SuppressionDecision {
  switch (input.kind) {
    case 'transition':
      return onTransition(state, input.transition);
    case 'overlay':
      return onOverlay(state, input.overlay, input.on);
    case 'tick':
      return steadyDown(state, input.nowMs) ? release(state) : { state, effects: [] };
  }
}

function onTransition(state: Suppression, transition: Transition): SuppressionDecision {
  if (state.overlays.length === 0) {
    return { state: told(state, transition), effects: [{ kind: 'announce', transition }] };
  }
  const withheld: Withheld = { transition, because: state.overlays };
  return { state: { ...state, withheld: [...state.withheld, withheld] }, effects: [{ kind: 'store', withheld }] };
}

function onOverlay(state: Suppression, overlay: Overlay, on: boolean): SuppressionDecision {
  const others = state.overlays.filter((other) => other !== overlay);
  const next: Suppression = { ...state, overlays: on ? [...others, overlay] : others };
  return on || next.overlays.length > 0 ? { state: next, effects: [] } : release(next);
}

/** One event where the truth differs from what was told; none where it has come back to it. */
function release(state: Suppression): SuppressionDecision {
  const newest = state.withheld.at(-1)?.transition;
  if (newest === undefined) return { state, effects: [] };
  if (newest.to === state.announced) return { state: { ...state, withheld: [] }, effects: [] };
  const { episode: own, ...rest } = newest;
  // An outage that was announced is closed in its own episode, whatever happened meanwhile.
  const episode = state.episode ?? own;
  const transition: Transition = { ...rest, from: state.announced, ...(episode === undefined ? {} : { episode }) };
  return { state: told(state, transition), effects: [{ kind: 'reconcile', transition }] };
}

/** Only flapping keeps it back, it is down, and has been for a minute. */
function steadyDown(state: Suppression, nowMs: number): boolean {
  const newest = state.withheld.at(-1)?.transition;
  const flappingOnly = state.overlays.length === 1 && state.overlays[0] === 'flapping';
  return flappingOnly && newest?.to === 'down' && state.announced !== 'down' && nowMs - newest.timeMs >= STEADY_DOWN_MS;
}

function told(state: Suppression, transition: Transition): Suppression {
  const { episode: _closed, ...rest } = state;
  const { to, episode } = transition;
  return { ...rest, announced: to, withheld: [], ...(to === 'up' || episode === undefined ? {} : { episode }) };
}
