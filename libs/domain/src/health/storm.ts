/** More than this share of a group failing at once is one thing with one cause. */
const STORM_SHARE = 0.55;
/** It is over when no more than half of that share still fails: one member more or less does not end and begin it. */
const CALM_SHARE = STORM_SHARE / 2;
/** Of two members one is half the group already; a group that can have a storm has three. */
const MIN_MEMBERS = 3;
/** Later members wait so long for their fellows. The first never waits. */
export const COLLECT_MS = 5_000;
/**
 * A group of which so much fails so soon is looked at as a whole: with an interval of 10 s or more, the turn of half of it comes
 * after the time to collect is over. A twentieth is more than what fails by chance.
 */
const LOOK = { share: 0.05, afterMs: 2_000 };
/** While the suspects would make it a storm, their votes are waited for: in steps of a second, and no longer than this in all. */
const IN_DOUBT = { stepMs: 1_000, mostMs: 15_000 };

/** A group of targets that may fail together: those of a site, or the children of a parent. */
export interface StormState {
  /** Members that are down, in the order in which they went. */
  failing: readonly string[];
  /** Members whose event waits, since and until when (monotonic milliseconds), and whether the others have been looked at. */
  collecting?: { members: readonly string[]; sinceMs: number; untilMs: number; looked: boolean };
  /** Members that were named when the outage of the group was announced; absent while there is none. */
  outage?: readonly string[];
}

/**
 * `collectedMs`: for how long these members have been collected by somebody who decides no more; the first of them has been told.
 * `suspects`: how many members more fail and are not confirmed yet.
 */
export type StormInput =
  | { kind: 'down'; subjects: readonly string[]; nowMs: number; collectedMs?: number }
  | { kind: 'up'; subjects: readonly string[] }
  | { kind: 'tick'; nowMs: number; suspects: number };

/**
 * `announce`: the member's own event goes out. `group-outage`, `group-recovered`: one event that names the members. `absorb`:
 * the member's event is stored as caused by the group's and told to nobody. `release`: a member is judged by itself again.
 * `look`: every member is to be probed now, instead of when its turn comes.
 */
export type StormEffect =
  | { kind: 'announce' | 'absorb' | 'release'; subject: string }
  | { kind: 'group-outage' | 'group-recovered'; members: readonly string[] }
  | { kind: 'look' };

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
      return onDown(state, input.subjects, input.nowMs, input.collectedMs ?? 0);
    case 'up':
      return onUp(state, input.subjects, size);
    case 'tick':
      return onTick(state, input.nowMs, input.suspects, size);
  }
}

function onDown(state: StormState, subjects: readonly string[], nowMs: number, collectedMs: number): StormDecision {
  const known = new Set(state.failing);
  const gone = [...new Set(subjects)].filter((subject) => !known.has(subject));
  const [first] = gone;
  if (first === undefined) return { state, effects: [] };
  const next: StormState = { ...state, failing: [...state.failing, ...gone] };
  if (state.outage !== undefined) {
    return { state: { ...next, outage: [...state.outage, ...gone] }, effects: gone.map(absorb) };
  }
  const { collecting } = state;
  if (collecting !== undefined) {
    const members = [...collecting.members, ...gone];
    return { state: { ...next, collecting: { ...collecting, members } }, effects: [] };
  }
  const sinceMs = nowMs - collectedMs;
  const open = { sinceMs, untilMs: Math.max(sinceMs + COLLECT_MS, nowMs + IN_DOUBT.stepMs), looked: false };
  if (collectedMs > 0) return { state: { ...next, collecting: { ...open, members: gone } }, effects: [] };
  return { state: { ...next, collecting: { ...open, members: gone.slice(1) } }, effects: [announce(first)] };
}

function onUp(state: StormState, subjects: readonly string[], size: number): StormDecision {
  const back = new Set(subjects);
  const failing = state.failing.filter((member) => !back.has(member));
  if (failing.length === state.failing.length) return { state, effects: [] };
  const next: StormState = { ...state, failing };
  const { outage, collecting } = state;
  if (outage !== undefined) {
    if (failing.length > size * CALM_SHARE) return { state: next, effects: [] };
    return {
      state: { failing },
      effects: [
        { kind: 'group-recovered', members: outage },
        ...outage.map((subject): StormEffect => ({ kind: 'release', subject })),
      ],
    };
  }
  if (collecting === undefined) return { state: next, effects: [] };
  // Down and up again while it waited: both are told, in order.
  const members = collecting.members.filter((member) => !back.has(member));
  return {
    state: { ...next, collecting: { ...collecting, members } },
    effects: collecting.members.filter((member) => back.has(member)).map(announce),
  };
}

function onTick(state: StormState, nowMs: number, suspects: number, size: number): StormDecision {
  const { collecting, failing } = state;
  if (collecting === undefined) return { state, effects: [] };
  if (nowMs < collecting.untilMs) {
    const many = size >= MIN_MEMBERS && failing.length > Math.max(1, size * LOOK.share);
    if (collecting.looked || !many || nowMs < collecting.sinceMs + LOOK.afterMs) return { state, effects: [] };
    return { state: { ...state, collecting: { ...collecting, looked: true } }, effects: [{ kind: 'look' }] };
  }
  const { collecting: _over, ...rest } = state;
  const { members, sinceMs } = collecting;
  if (isStorm(failing.length, size)) {
    const outage: StormEffect = { kind: 'group-outage', members: failing };
    return { state: { ...rest, outage: failing }, effects: [outage, ...members.map(absorb)] };
  }
  if (isStorm(failing.length + suspects, size) && nowMs < sinceMs + IN_DOUBT.mostMs) {
    return { state: { ...state, collecting: { ...collecting, untilMs: nowMs + IN_DOUBT.stepMs } }, effects: [] };
  }
  return { state: rest, effects: members.map(announce) };
}

function isStorm(failing: number, size: number): boolean {
  return size >= MIN_MEMBERS && failing > size * STORM_SHARE;
}

function announce(subject: string): StormEffect {
  return { kind: 'announce', subject };
}

function absorb(subject: string): StormEffect {
  return { kind: 'absorb', subject };
}
