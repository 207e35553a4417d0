import type { ProbeResult, VoidedProbe } from './probe-result.js';
import type { Evidence } from './state.js';

/** An asked observer's answer. `abstain`: it is isolated or could not do the probes. */
export interface VoteCast {
  vote: 'fail' | 'pass' | 'abstain';
  evidence: Evidence;
}

/** Votes counted, the owner's own included. */
export interface VoteTally {
  fail: number;
  pass: number;
  abstain: number;
}

/** `alone`: nobody but the owner could vote. */
export type VoteVerdict = 'confirmed' | 'refused' | 'alone';

/** A confirmed change needs the word of two observers; one's word is `confidence: single`. */
const MIN_FAIL_VOTES = 2;

/** The votes on a suspicion, the owner's `fail` counted in. */
export function tallyVotes(others: readonly VoteCast[]): VoteTally {
  const tally = { fail: 1, pass: 0, abstain: 0 };
  for (const { vote } of others) tally[vote] += 1;
  return tally;
}

/** Down iff at least two fail votes, and more than half of the votes cast. Abstentions are not cast. */
export function verdictOf(tally: VoteTally): VoteVerdict {
  const cast = tally.fail + tally.pass;
  if (cast < MIN_FAIL_VOTES) return 'alone';
  return tally.fail >= MIN_FAIL_VOTES && tally.fail > cast / 2 ? 'confirmed' : 'refused';
}

/**
 * The vote that two probes make: `fail` only if both fail, `pass` as soon as one passes, `abstain` where the observer's own
 * trouble leaves it without an opinion.
 */
export function voteOf(probes: readonly (ProbeResult | VoidedProbe)[]): VoteCast['vote'] {
  const own = probes.filter((probe) => probe.kind === 'void' || probe.origin === 'local');
  if (probes.some((probe) => probe.kind === 'result' && probe.origin === 'remote' && probe.outcome !== 'fail')) {
    return 'pass';
  }
  return own.length > 0 || probes.length === 0 ? 'abstain' : 'fail';
}
