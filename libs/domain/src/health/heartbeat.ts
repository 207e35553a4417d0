/** So many heartbeats may be missed before anybody wonders. */
const MISSED = 3;

/** A target that says by itself that it is alive. All times are the receiver's own, monotonic milliseconds. */
export interface HeartbeatState {
  /** `silent`: suspect, the active probe is being asked. */
  phase: 'waiting' | 'beating' | 'silent' | 'lost' | 'offline';
  /** Last heartbeat, or the beginning of the watch. */
  heardMs: number;
}

export type HeartbeatInput =
  | { kind: 'beat'; nowMs: number }
  | { kind: 'tick'; nowMs: number }
  /** What the active probe has found, after it was asked for. */
  | { kind: 'probed'; passes: boolean };

/** `probe`: ask the active probe. The others are facts to announce; `sinceMs` is when the first heartbeat was missed. */
export type HeartbeatEffect =
  | { kind: 'probe' }
  | { kind: 'heartbeat-lost' | 'offline'; sinceMs: number }
  | { kind: 'heartbeat-resumed' | 'online' };

export interface HeartbeatDecision {
  state: HeartbeatState;
  effects: readonly HeartbeatEffect[];
}

export interface HeartbeatPolicy {
  /** How often a heartbeat is due. */
  intervalMs: number;
  /** Is there a check that can look for itself? Without one, silence is all there is to go by. */
  activeProbe: boolean;
}

/** A target that has not spoken yet. Its silence counts from now on. */
export function awaitingHeartbeat(nowMs: number): HeartbeatState {
  return { phase: 'waiting', heardMs: nowMs };
}

/** Three missed heartbeats make a target suspect; the active probe tells a dead node from a dead agent. */
export function hearken(state: HeartbeatState, input: HeartbeatInput, policy: HeartbeatPolicy): HeartbeatDecision {
  switch (input.kind) {
    case 'beat':
      return { state: { phase: 'beating', heardMs: input.nowMs }, effects: resumed(state) };
    case 'tick':
      return onTick(state, input.nowMs, policy);
    case 'probed': {
      if (state.phase !== 'silent') return { state, effects: [] };
      const kind = input.passes ? 'heartbeat-lost' : 'offline';
      const phase = input.passes ? 'lost' : 'offline';
      return { state: { ...state, phase }, effects: [{ kind, sinceMs: state.heardMs + policy.intervalMs }] };
    }
  }
}

function onTick(state: HeartbeatState, nowMs: number, policy: HeartbeatPolicy): HeartbeatDecision {
  const listening = state.phase === 'waiting' || state.phase === 'beating';
  if (!listening || nowMs - state.heardMs < MISSED * policy.intervalMs) return { state, effects: [] };
  if (policy.activeProbe) return { state: { ...state, phase: 'silent' }, effects: [{ kind: 'probe' }] };
  const sinceMs = state.heardMs + policy.intervalMs;
  return { state: { ...state, phase: 'offline' }, effects: [{ kind: 'offline', sinceMs }] };
}

function resumed({ phase }: HeartbeatState): HeartbeatEffect[] {
  if (phase === 'lost') return [{ kind: 'heartbeat-resumed' }];
  return phase === 'offline' ? [{ kind: 'online' }] : [];
}
