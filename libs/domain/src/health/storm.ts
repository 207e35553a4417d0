/** More than this share of a group failing at once is one thing with one cause. */
const STORM_SHARE = 0.55;
/** It is over when no more than half of that share still fails: one member more or less does not end and begin it. */
const CALM_SHARE = STORM_SHARE / 2;
/** Of two members one is half the group already; a group that can have a storm has three. */
const MIN_MEMBERS = 3;
/** Later members wait so long for their fellows. The first never waits. */
export const COLLECT_MS = 5_000;

/** A group of targets that may fail together: those of a site, or the children of a parent. */
export interface StormState {
  /** Members that are down, in the order in which they went. */
  failing: readonly string[];
  /** Members whose event waits, and until when (monotonic milliseconds). */
  collecting?: { members: readonly string[]; untilMs: number };
  /** Members that were named when the outage of the group was announced; absent while there is none. */
  outage?: readonly string[];
}

export type StormInput = { kind: 'down' | 'up'; subject: string; nowMs: number } | { kind: 'tick'; nowMs: number };

/**
 * `announce`: the member's own event goes out. `group-outage`, `group-recovered`: one event that names the members. `absorb`:
 * the member's event is stored as caused by the group's and told to nobody. `release`: a member is judged by itself again.
 */
export type StormEffect =
  | { kind: 'announce' | 'absorb' | 'release'; subject: string }
  | { kind: 'group-outage' | 'group-recovered'; members: readonly string[] };

export interface StormDecision {
  state: StormState;
  effects: readonly StormEffect[];
}

/** A group in which nobody is down. */
export const NO_STORM: StormState = { failing: [] };

/** @param size number of members of the group, the healthy ones included */
export function weather(state: StormState, input: StormInput, size: number): StormDecision {
  switch (input.kind) {
    case 'down':
      return onDown(state, input.subject, input.nowMs, size);
    case 'up':
      return onUp(state, input.subject, size);
    case 'tick':
      return state.collecting !== undefined && input.nowMs >= state.collecting.untilMs
        ? afterCollecting(state, state.collecting.members, size)
        : { state, effects: [] };
  }
}

function onDown(state: StormState, subject: string, nowMs: number, size: number): StormDecision {
  if (state.failing.includes(subject)) return { state, effects: [] };
  const next: StormState = { ...state, failing: [...state.failing, subject] };
  if (state.outage !== undefined) {
    return { state: { ...next, outage: [...state.outage, subject] }, effects: [{ kind: 'absorb', subject }] };
  }
  const { collecting } = state;
  if (collecting === undefined) {
    const open = { members: [], untilMs: nowMs + COLLECT_MS };
    return { state: { ...next, collecting: open }, effects: [{ kind: 'announce', subject }] };
  }
  const collected = [...collecting.members, subject];
  if (nowMs >= collecting.untilMs) return afterCollecting(next, collected, size);
  return { state: { ...next, collecting: { ...collecting, members: collected } }, effects: [] };
}

function onUp(state: StormState, subject: string, size: number): StormDecision {
  const failing = state.failing.filter((member) => member !== subject);
  if (failing.length === state.failing.length) return { state, effects: [] };
  const next: StormState = { ...state, failing };
  const { outage, collecting } = state;
  if (outage !== undefined) {
    if (failing.length > size * CALM_SHARE) return { state: next, effects: [] };
    const effects: StormEffect[] = [{ kind: 'group-recovered', members: outage }];
    return {
      state: { failing },
      effects: [...effects, ...outage.map((member) => ({ kind: 'release' as const, subject: member }))],
    };
  }
  if (collecting?.members.includes(subject) === true) {
    // Down and up again while it waited: both are told, in order.
    const members = collecting.members.filter((member) => member !== subject);
    return { state: { ...next, collecting: { ...collecting, members } }, effects: [{ kind: 'announce', subject }] };
  }
  return { state: next, effects: [] };
}

function afterCollecting(state: StormState, members: readonly string[], size: number): StormDecision {
  const { collecting: _over, ...rest } = state;
  if (size >= MIN_MEMBERS && state.failing.length > size * STORM_SHARE) {
    const outage: StormEffect = { kind: 'group-outage', members: state.failing };
    const absorbed = members.map((subject): StormEffect => ({ kind: 'absorb', subject }));
    return { state: { ...rest, outage: state.failing }, effects: [outage, ...absorbed] };
  }
  return { state: rest, effects: members.map((subject) => ({ kind: 'announce', subject })) };
}
