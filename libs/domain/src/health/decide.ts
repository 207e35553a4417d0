import { episodeId } from './episode.js';
import { DIVERGENCE_PATIENCE_MS, failuresAlone, voteDeadlineMs, type HealthPolicy } from './policy.js';
import type { Instant } from './probe-result.js';
import { tallyVotes, verdictOf, type VoteTally } from './quorum.js';
import type {
  AnnouncedHealth,
  Confidence,
  Decision,
  Evidence,
  HealthEffect,
  HealthInput,
  HealthPhase,
  HealthState,
  Streak,
  Transition,
} from './state.js';

const NOTHING: readonly HealthEffect[] = [];

type ResultInput = Extract<HealthInput, { kind: 'result' }>;

/**
 * The health state machine of one target: what the observer knows and does after `input`. Pure: the same state and inputs
 * give the same decisions for ever, so that recorded inputs can be replayed.
 *
 * - A suspicion starts at the first failure and ends at any pass. After `failures` failures in a row the others are asked;
 *   what they refuse returns to the normal cadence. A lone observer needs more failures and says so (`confidence: single`).
 * - An outage ends after `successes` passes in a row.
 * - Results of local origin change nothing at all: they say nothing of the target.
 */
export function decide(state: HealthState, input: HealthInput, policy: HealthPolicy): Decision {
  switch (input.kind) {
    case 'result':
      return onResult(state, input, policy);
    case 'votes':
      return onVotes(state, input, policy);
    case 'recorded':
      return unchanged(adopt(state, input));
    case 'isolated':
      return unchanged(settled(state, 'unknown'));
    case 'rejoined':
      return unchanged(state.phase === 'unknown' ? settled(state, restingPhase(state.announced)) : state);
    case 'silent':
      return unchanged(state.phase === 'unknown' ? state : settled(state, 'stale'));
  }
}

function onResult(before: HealthState, input: ResultInput, policy: HealthPolicy): Decision {
  if (input.result.origin === 'local' || before.phase === 'unknown') return unchanged(before);
  const state = before.phase === 'stale' ? settled(before, restingPhase(before.announced)) : before;
  return input.result.outcome === 'fail' ? onFailure(state, input, policy) : onPass(state, input, policy);
}

function onFailure(state: HealthState, input: ResultInput, policy: HealthPolicy): Decision {
  if (state.phase === 'down') return unchanged(state);
  if (state.phase === 'recovering') return unchanged(settled(state, 'down'));

  const streak = extend(state.streak, 'fail', input);
  const suspected: HealthEffect[] = state.phase === 'suspect' ? [] : [{ kind: 'suspected' }];
  const suspect: HealthState = { ...state, phase: 'suspect', streak };
  if (state.voting) return { state: suspect, effects: suspected };

  if (input.voters >= 2 && !state.alone) {
    if (streak.count < policy.failures) return { state: suspect, effects: suspected };
    const round = state.round + 1;
    const ask: HealthEffect = { kind: 'ask-votes', round, deadlineMs: voteDeadlineMs(policy.timeoutMs) };
    return { state: { ...suspect, round, voting: true }, effects: [...suspected, ask] };
  }
  if (streak.count < failuresAlone(policy.failures)) return { state: suspect, effects: suspected };
  const decision = confirmDown(suspect, streak, { at: input.at, confidence: 'single' });
  return { state: decision.state, effects: [...suspected, ...decision.effects] };
}

function onPass(state: HealthState, input: ResultInput, policy: HealthPolicy): Decision {
  const converged = convergence(state);
  const degraded = input.result.outcome === 'degraded';

  // As it was announced: nothing is counted. Nearly all results there are end here.
  if (state.announced === (degraded ? 'degraded' : 'up')) return { state: atRest(state), effects: converged };

  const seen = { ...without(state, 'divergence'), voting: false, alone: false };
  if (state.announced === 'down') {
    const streak = extend(state.phase === 'recovering' ? state.streak : undefined, 'pass', input);
    if (streak.count < policy.successes) {
      return { state: { ...seen, phase: 'recovering', streak }, effects: converged };
    }
    return withEffects(converged, confirm(seen, 'up', streak, { at: input.at, confidence: 'single' }));
  }
  if (state.announced === 'pending' || state.announced === 'unknown') {
    const streak = extend(undefined, 'pass', input);
    return withEffects(converged, confirm(seen, 'up', streak, { at: input.at, confidence: 'single' }));
  }

  // Up or degraded: a change between the two needs as many results in a row as an outage and its end do.
  const streak = extend(state.phase === 'up' ? state.streak : undefined, degraded ? 'degraded' : 'pass', input);
  const resting: HealthState = { ...seen, phase: 'up', streak };
  if (degraded && state.announced === 'up' && streak.count >= policy.failures) {
    return withEffects(converged, confirm(resting, 'degraded', streak, { at: input.at, confidence: 'single' }));
  }
  if (!degraded && state.announced === 'degraded' && streak.count >= policy.successes) {
    return withEffects(converged, confirm(resting, 'up', streak, { at: input.at, confidence: 'single' }));
  }
  return { state: resting, effects: converged };
}

function onVotes(state: HealthState, input: Extract<HealthInput, { kind: 'votes' }>, policy: HealthPolicy): Decision {
  const { streak } = state;
  if (state.phase !== 'suspect' || !state.voting || input.round !== state.round || streak === undefined) {
    return unchanged(state);
  }
  const counted: HealthState = { ...state, voting: false };
  const tally = tallyVotes(input.votes);
  const words = input.votes.map((cast) => cast.evidence);
  switch (verdictOf(tally)) {
    case 'confirmed':
      return confirmDown(counted, streak, { at: input.at, confidence: 'quorum', tally, words });
    case 'alone': {
      const alone: HealthState = { ...counted, alone: true };
      if (streak.count < failuresAlone(policy.failures)) return unchanged(alone);
      return confirmDown(alone, streak, { at: input.at, confidence: 'single', tally, words });
    }
    case 'refused':
      return refuse(counted, streak, input.at, tally);
  }
}

/** Back to the normal cadence: asking again at the fast one would throw away what the vote has gained. */
function refuse(state: HealthState, streak: Streak, at: Instant, tally: VoteTally): Decision {
  const divergence = state.divergence ?? { since: streak.first, announced: false };
  const due = !divergence.announced && at.monoMs - divergence.since.monoMs > DIVERGENCE_PATIENCE_MS;
  const effects: HealthEffect[] = [{ kind: 'vote-refused', tally }];
  if (due) effects.push({ kind: 'vantage', fact: 'diverged', sinceMs: divergence.since.wallMs });
  return {
    state: {
      ...settled(state, restingPhase(state.announced)),
      divergence: { since: divergence.since, announced: divergence.announced || due },
    },
    effects,
  };
}

interface Confirmation {
  at: Instant;
  confidence: Confidence;
  tally?: VoteTally;
  words?: readonly Evidence[];
}

function confirmDown(state: HealthState, streak: Streak, confirmation: Confirmation): Decision {
  const converged = convergence(state);
  return withEffects(converged, confirm(without(state, 'divergence'), 'down', streak, confirmation));
}

function confirm(state: HealthState, to: AnnouncedHealth, streak: Streak, confirmation: Confirmation): Decision {
  const healthy = to === 'up';
  // A degraded target that goes down stays in its episode: one trouble, closed once.
  const episode = state.episode ?? (healthy ? undefined : episodeId(state.subject, streak.first.wallMs));
  const transition: Transition = {
    subject: state.subject,
    from: state.announced,
    to,
    timeMs: streak.first.wallMs,
    confirmedAtMs: confirmation.at.wallMs,
    detectionMs: Math.max(0, confirmation.at.monoMs - streak.first.monoMs),
    ...(episode === undefined ? {} : { episode }),
    confidence: confirmation.confidence,
    evidence: [...streak.evidence, ...(confirmation.words ?? [])],
    ...(confirmation.tally === undefined ? {} : { votes: confirmation.tally }),
    ...(state.announced === 'down' && state.sinceMs !== undefined
      ? { downMs: Math.max(0, streak.first.wallMs - state.sinceMs) }
      : {}),
  };
  return {
    state: {
      ...settled(without(state, 'episode'), restingPhase(to)),
      announced: to,
      sinceMs: streak.first.wallMs,
      ...(healthy || episode === undefined ? {} : { episode }),
    },
    effects: [{ kind: 'announce', transition }],
  };
}

/** The store's word wins. A suspicion survives it where it may still be right. */
function adopt(state: HealthState, recorded: Extract<HealthInput, { kind: 'recorded' }>): HealthState {
  const truth: HealthState = {
    ...without(without(state, 'episode'), 'sinceMs'),
    announced: recorded.announced,
    ...(recorded.sinceMs === undefined ? {} : { sinceMs: recorded.sinceMs }),
    ...(recorded.episode === undefined ? {} : { episode: recorded.episode }),
  };
  if (recorded.announced === state.announced) return truth;
  if (state.phase === 'unknown' || state.phase === 'stale') return truth;
  if (state.phase === 'suspect' && recorded.announced !== 'down') return truth;
  return settled(truth, restingPhase(recorded.announced));
}

function convergence(state: HealthState): readonly HealthEffect[] {
  return state.divergence?.announced === true
    ? [{ kind: 'vantage', fact: 'converged', sinceMs: state.divergence.since.wallMs }]
    : NOTHING;
}

/** The phase a target rests in while nothing is going on. */
function restingPhase(announced: AnnouncedHealth): HealthPhase {
  if (announced === 'pending' || announced === 'unknown') return 'pending';
  return announced === 'down' ? 'down' : 'up';
}

function settled(state: HealthState, phase: HealthPhase): HealthState {
  return { ...without(state, 'streak'), phase, voting: false, alone: false };
}

/** Up with nothing to remember: the very same state where it is so already. */
function atRest(state: HealthState): HealthState {
  const { phase, streak, divergence, voting, alone } = state;
  if (phase === 'up' && streak === undefined && divergence === undefined && !voting && !alone) return state;
  return settled(without(state, 'divergence'), 'up');
}

function extend(streak: Streak | undefined, of: Streak['of'], input: ResultInput): Streak {
  const word: Evidence = {
    observer: input.observer,
    atMs: input.startedAt.wallMs,
    outcome: input.result.outcome,
    ...(input.result.phase === undefined ? {} : { phase: input.result.phase }),
    detail: input.result.detail,
    durationMs: input.result.durationMs,
  };
  const first = streak?.of === of ? streak.evidence[0] : undefined;
  if (streak === undefined || first === undefined) {
    return { of, count: 1, first: input.startedAt, evidence: [word] };
  }
  return { of, count: streak.count + 1, first: streak.first, evidence: [first, word] };
}

function without<Key extends 'streak' | 'divergence' | 'episode' | 'sinceMs'>(
  state: HealthState,
  key: Key,
): HealthState {
  const { [key]: _dropped, ...rest } = state;
  return rest as HealthState;
}

function unchanged(state: HealthState): Decision {
  return { state, effects: NOTHING };
}

function withEffects(first: readonly HealthEffect[], decision: Decision): Decision {
  return { state: decision.state, effects: [...first, ...decision.effects] };
}
