import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decide.js';
import { degrades, fails, passes, run, votes } from './health.harness.js';
import { failuresAlone, type HealthPolicy } from './policy.js';
import { initialHealth, type HealthInput, type HealthState, type Transition } from './state.js';

type Step =
  | { do: 'fail' | 'pass' | 'degraded' | 'local'; voters: number }
  | { do: 'votes'; cast: ('fail' | 'pass' | 'abstain')[]; stale: boolean }
  | { do: 'isolated' | 'rejoined' | 'silent' };

const voters = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('fail' as const, 'pass' as const), voters }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('degraded' as const, 'local' as const), voters }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('votes' as const),
      cast: fc.array(fc.constantFrom('fail' as const, 'pass' as const, 'abstain' as const), { maxLength: 3 }),
      stale: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('isolated' as const, 'rejoined' as const, 'silent' as const) }),
  },
);
const policy: fc.Arbitrary<HealthPolicy> = fc.record({
  intervalMs: fc.constant(10_000),
  timeoutMs: fc.constant(2_000),
  fastIntervalMs: fc.constant(1_000),
  failures: fc.integer({ min: 1, max: 5 }),
  successes: fc.integer({ min: 1, max: 4 }),
});

/** The input a step is in a given state: votes answer the round that is open, unless they are stale. */
function inputOf(current: Step, atS: number, state: HealthState): HealthInput {
  switch (current.do) {
    case 'fail':
      return fails(atS, { voters: current.voters });
    case 'pass':
      return passes(atS, { voters: current.voters });
    case 'degraded':
      return degrades(atS, { voters: current.voters });
    case 'local':
      return fails(atS, { voters: current.voters, origin: 'local' });
    case 'votes':
      return votes(atS, current.stale ? state.round - 1 : state.round, current.cast);
    default:
      return { kind: current.do };
  }
}

interface Played {
  inputs: HealthInput[];
  transitions: { transition: Transition; by: HealthInput; failsInARow: number }[];
  state: HealthState;
}

function play(steps: readonly Step[], under: HealthPolicy): Played {
  const played: Played = { inputs: [], transitions: [], state: initialHealth('node/a') };
  let failsInARow = 0;
  for (const [index, current] of steps.entries()) {
    const input = inputOf(current, index, played.state);
    if (current.do === 'fail') failsInARow += 1;
    if (current.do === 'pass' || current.do === 'degraded') failsInARow = 0;
    const decision = decide(played.state, input, under);
    played.state = decision.state;
    played.inputs.push(input);
    for (const effect of decision.effects) {
      if (effect.kind === 'announce') {
        played.transitions.push({ transition: effect.transition, by: input, failsInARow });
      }
    }
  }
  return played;
}

const history = fc.array(step, { maxLength: 120 });

describe('health decisions, whatever happens', () => {
  it('never say down without the confirmation rule', () => {
    fc.assert(
      fc.property(history, policy, (steps, under) => {
        for (const { transition, by, failsInARow } of play(steps, under).transitions) {
          if (transition.to !== 'down') continue;
          if (transition.confidence === 'quorum') {
            const { fail, pass } = transition.votes ?? { fail: 0, pass: 0 };
            expect(fail).toBeGreaterThanOrEqual(2);
            expect(fail).toBeGreaterThan(pass);
            expect(by.kind).toBe('votes');
            expect(failsInARow).toBeGreaterThanOrEqual(under.failures);
          } else {
            expect(failsInARow).toBeGreaterThanOrEqual(failuresAlone(under.failures));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('close every outage once the target answers, in its episode', () => {
    fc.assert(
      fc.property(history, policy, (steps, under) => {
        const recovery: Step[] = [
          { do: 'rejoined' },
          ...Array.from({ length: under.successes }, (): Step => ({ do: 'pass', voters: 3 })),
        ];
        const { transitions, state } = play([...steps, ...recovery], under);
        expect(state.announced).toBe('up');
        expect(state.episode).toBeUndefined();
        let open: string | undefined;
        for (const { transition } of transitions) {
          if (transition.to === 'down') open = transition.episode;
          if (transition.from === 'down') {
            expect(transition.to).toBe('up');
            expect(transition.episode).toBe(open);
            open = undefined;
          }
        }
        expect(open).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  it('announce nothing twice: each transition begins where the last one ended', () => {
    fc.assert(
      fc.property(history, policy, (steps, under) => {
        let last = 'pending';
        for (const { transition } of play(steps, under).transitions) {
          expect(transition.from).toBe(last);
          expect(transition.to).not.toBe(last);
          last = transition.to;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the same when the recorded inputs are replayed', () => {
    fc.assert(
      fc.property(history, policy, (steps, under) => {
        const { inputs, transitions, state } = play(steps, under);
        const copy = JSON.parse(JSON.stringify(inputs)) as HealthInput[];
        const replayed = run(copy, under, initialHealth('node/a'));
        expect(replayed.state).toEqual(state);
        expect(replayed.effects.flatMap((effect) => (effect.kind === 'announce' ? [effect.transition] : []))).toEqual(
          transitions.map(({ transition }) => transition),
        );
      }),
    );
  });

  it('survive a restart from the recorded state: nothing is announced again, no recovery is lost', () => {
    fc.assert(
      fc.property(history, policy, (steps, under) => {
        const { state } = play(steps, under);
        const restored = decide(
          initialHealth('node/a'),
          {
            kind: 'recorded',
            announced: state.announced,
            ...(state.sinceMs === undefined ? {} : { sinceMs: state.sinceMs }),
            ...(state.episode === undefined ? {} : { episode: state.episode }),
          },
          under,
        );
        expect(restored.effects).toEqual([]);
        const recovery = Array.from({ length: under.successes }, (_, index) => passes(1_000 + index));
        const after = run(recovery, under, restored.state).effects.flatMap((effect) =>
          effect.kind === 'announce' ? [effect.transition] : [],
        );
        expect(after.map(({ from, to, episode }) => ({ from, to, episode }))).toEqual(
          state.announced === 'up' ? [] : [{ from: state.announced, to: 'up', episode: state.episode }],
        );
      }),
      { numRuns: 1_000 },
    );
  });
});
