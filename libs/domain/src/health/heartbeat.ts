import type { AnnouncedHealth } from './state.js';

/** So many heartbeats may be missed before anybody wonders. */
const MISSED = 3;

/** A target that says by itself that it is alive. All times are the receiver's own, monotonic milliseconds. */
export interface HeartbeatState {
  /** Last heartbeat, or the beginning of the watch. */
  heardMs: number;
  /** What it said last; `nothing` since the watch began. */
  said: 'nothing' | 'ok' | 'fail';
  /** In its own words. */
  message?: string;
}

export type HeartbeatInput =
  | { kind: 'beat'; nowMs: number; status: 'ok' | 'fail'; message?: string }
  /**
   * Time to look whether it is silent. `listeningSinceMs`: since when heartbeats could have been heard without interruption; absent while they
   * cannot. `announced`: what is known of the target.
   */
  | { kind: 'look'; nowMs: number; listeningSinceMs?: number; announced: AnnouncedHealth }
  /** What the active probe has found, after it was asked for. */
  | { kind: 'probed'; passes: boolean };

/**
 * `probe`: ask the active probe; what it finds is a result like any other. `word`: a result by itself, true since `sinceMs`; nobody can
 * contest it. `lost`, `resumed`: whether only its heartbeat is missing; said each time, and whether that is news the log tells.
 */
export type HeartbeatEffect =
  | { kind: 'probe' }
  | { kind: 'word'; outcome: 'pass' | 'fail'; sinceMs: number; detail: string }
  | { kind: 'lost'; sinceMs: number }
  | { kind: 'resumed' };

export interface HeartbeatDecision {
  state: HeartbeatState;
  effects: readonly HeartbeatEffect[];
}

export interface HeartbeatPolicy {
  /** How often a heartbeat is due. */
  intervalMs: number;
  /** How much later than the third missed one may it be? */
  graceMs: number;
  /** Is there a check that can look for itself? Without one, silence is all there is to go by. */
  activeProbe: boolean;
}

/** A target that has not spoken yet. Its silence counts from now on. */
export function awaitingHeartbeat(nowMs: number): HeartbeatState {
  return { heardMs: nowMs, said: 'nothing' };
}

/** Milliseconds without a word after which a target is silent. */
export function silentAfterMs({ intervalMs, graceMs }: Pick<HeartbeatPolicy, 'intervalMs' | 'graceMs'>): number {
  return MISSED * intervalMs + graceMs;
}

/**
 * What a heartbeat, or its absence, says of a target. Three missed ones make it silent: then the active probe tells a dead node from a
 * dead agent, and where there is none silence is a failure. A target that has never been heard of by anybody is waited for. One that
 * says itself that it fails does so until it says otherwise. Time in which nothing could be heard is not silence.
 */
export function hearken(state: HeartbeatState, input: HeartbeatInput, policy: HeartbeatPolicy): HeartbeatDecision {
  switch (input.kind) {
    case 'beat':
      return onBeat(input);
    case 'look':
      return onLook(state, input, policy);
    case 'probed':
      return { state, effects: input.passes ? [{ kind: 'lost', sinceMs: firstMissedMs(state, policy) }] : [] };
  }
}

function onBeat(input: Extract<HeartbeatInput, { kind: 'beat' }>): HeartbeatDecision {
  const { nowMs, status, message } = input;
  const heard: HeartbeatState = { heardMs: nowMs, said: status, ...(message === undefined ? {} : { message }) };
  const word = { kind: 'word', sinceMs: nowMs } as const;
  const said: HeartbeatEffect =
    status === 'ok'
      ? { ...word, outcome: 'pass', detail: message ?? 'heartbeat' }
      : { ...word, outcome: 'fail', detail: failure(message) };
  return { state: heard, effects: [said, { kind: 'resumed' }] };
}

function onLook(
  state: HeartbeatState,
  { nowMs, listeningSinceMs, announced }: Extract<HeartbeatInput, { kind: 'look' }>,
  policy: HeartbeatPolicy,
): HeartbeatDecision {
  if (state.said === 'fail') {
    const detail = failure(state.message);
    return { state, effects: [{ kind: 'word', outcome: 'fail', sinceMs: state.heardMs, detail }] };
  }
  if (listeningSinceMs === undefined) return { state, effects: [] };
  const neverHeard = state.said === 'nothing' && announced === 'pending';
  const silentMs = nowMs - Math.max(state.heardMs, listeningSinceMs);
  if (neverHeard || silentMs < silentAfterMs(policy)) return { state, effects: [] };
  if (policy.activeProbe) return { state, effects: [{ kind: 'probe' }] };
  const detail = `no heartbeat for ${Math.round((nowMs - state.heardMs) / 1_000)}s`;
  return { state, effects: [{ kind: 'word', outcome: 'fail', sinceMs: firstMissedMs(state, policy), detail }] };
}

function firstMissedMs(state: HeartbeatState, policy: HeartbeatPolicy): number {
  return state.heardMs + policy.intervalMs;
}

function failure(message: string | undefined): string {
  return message === undefined ? 'the target itself says that it fails' : `the target itself says: ${message}`;
}
