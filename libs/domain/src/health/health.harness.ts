import { decide } from './decide.js';
import { DEFAULT_HEALTH_POLICY, type HealthPolicy } from './policy.js';
import type { Instant, ProbeResult } from './probe-result.js';
import type { VoteCast } from './quorum.js';
import { initialHealth, type Decision, type HealthEffect, type HealthInput, type HealthState } from './state.js';

/** The moment `seconds` after the start of a specification: both clocks agree, the wall one from a fixed day. */
export function second(seconds: number): Instant {
  return { wallMs: Date.UTC(2030, 0, 1) + seconds * 1_000, monoMs: seconds * 1_000 };
}

interface ResultOptions {
  voters?: number;
  origin?: ProbeResult['origin'];
  outcome?: ProbeResult['outcome'];
}

function result(atS: number, outcome: ProbeResult['outcome'], options: ResultOptions): HealthInput {
  return {
    kind: 'result',
    observer: 'fra-1',
    startedAt: second(atS),
    at: second(atS + 0.1),
    voters: options.voters ?? 3,
    result: {
      kind: 'result',
      outcome,
      origin: options.origin ?? 'remote',
      ...(outcome === 'fail' ? { phase: 'connect' as const } : {}),
      detail: outcome === 'fail' ? 'connection refused by 10.0.0.1:443' : 'HTTP 200',
      durationMs: 100,
      phasesMs: { connect: 100 },
    },
  };
}

/** A failing probe that started `atS` seconds after the start and took 100 ms. */
export function fails(atS: number, options: ResultOptions = {}): HealthInput {
  return result(atS, 'fail', options);
}

/** A passing one. */
export function passes(atS: number, options: ResultOptions = {}): HealthInput {
  return result(atS, 'pass', options);
}

/** One that answers, but not well. */
export function degrades(atS: number, options: ResultOptions = {}): HealthInput {
  return result(atS, 'degraded', options);
}

/** Answers of the asked observers to a round. */
export function votes(atS: number, round: number, cast: VoteCast['vote'][]): HealthInput {
  return {
    kind: 'votes',
    at: second(atS),
    round,
    votes: cast.map((vote, index) => ({
      vote,
      evidence: {
        observer: `ams-${index + 1}`,
        atMs: second(atS).wallMs,
        outcome: vote,
        detail: `says ${vote}`,
        durationMs: 20,
      },
    })),
  };
}

/** Everything that was decided while `inputs` came in one after another. */
export function run(inputs: readonly HealthInput[], policy: HealthPolicy, from: HealthState): Decision {
  const effects: HealthEffect[] = [];
  let state = from;
  for (const input of inputs) {
    const decision = decide(state, input, policy);
    state = decision.state;
    effects.push(...decision.effects);
  }
  return { state, effects };
}

/** Given what has happened, when this happens, then … (the effects of `when` alone, and the state after it). */
export function given(...history: HealthInput[]): {
  when(...inputs: HealthInput[]): Decision;
  under(policy: Partial<HealthPolicy>): { when(...inputs: HealthInput[]): Decision };
} {
  const under = (policy: HealthPolicy) => ({
    when: (...inputs: HealthInput[]) =>
      run(inputs, policy, run(history, policy, initialHealth('node/edge-fra-17')).state),
  });
  return {
    ...under(DEFAULT_HEALTH_POLICY),
    under: (policy) => under({ ...DEFAULT_HEALTH_POLICY, ...policy }),
  };
}
