import { describe, expect, it } from 'vitest';
import { decide } from './decide.js';
import { degrades, fails, given, passes, second, votes } from './health.harness.js';
import { DEFAULT_HEALTH_POLICY } from './policy.js';
import type { HealthEffect, Transition } from './state.js';

function announced(effects: readonly HealthEffect[]): Transition[] {
  return effects.flatMap((effect) => (effect.kind === 'announce' ? [effect.transition] : []));
}

describe('a target nobody has looked at', () => {
  it('is up at its first pass, without an episode', () => {
    const { state, effects } = given().when(passes(0));
    expect(state).toMatchObject({ phase: 'up', announced: 'up', sinceMs: second(0).wallMs });
    expect(announced(effects)).toMatchObject([{ from: 'pending', to: 'up' }]);
    expect(announced(effects)[0]).not.toHaveProperty('episode');
  });

  it('is down only after confirmation', () => {
    expect(given().when(fails(0)).state).toMatchObject({ phase: 'suspect', announced: 'pending' });
    const { effects } = given(fails(0), fails(1)).when(votes(2, 1, ['fail', 'fail']));
    expect(announced(effects)).toMatchObject([{ from: 'pending', to: 'down' }]);
  });
});

describe('suspicion (rule 1)', () => {
  it('starts at the first failure and is not yet a question to anybody', () => {
    const { state, effects } = given(passes(0)).when(fails(10));
    expect(state.phase).toBe('suspect');
    expect(effects).toEqual([{ kind: 'suspected' }]);
  });

  it('ends at any pass', () => {
    const { state, effects } = given(passes(0), fails(10)).when(passes(11));
    expect(state).toMatchObject({ phase: 'up', announced: 'up' });
    expect(effects).toEqual([]);
  });

  it('asks for votes at the second failure, with time for two probes and the way', () => {
    const { effects } = given(passes(0), fails(10)).when(fails(11));
    expect(effects).toEqual([{ kind: 'ask-votes', round: 1, deadlineMs: 5_000 }]);
  });

  it('asks once, however many failures follow before the answer', () => {
    const { effects } = given(passes(0), fails(10), fails(11)).when(fails(12), fails(13));
    expect(effects).toEqual([]);
  });

  it('takes the configured number of failures', () => {
    expect(given(passes(0)).under({ failures: 1 }).when(fails(10)).effects).toContainEqual({
      kind: 'ask-votes',
      round: 1,
      deadlineMs: 5_000,
    });
    expect(given(passes(0)).under({ failures: 4 }).when(fails(1), fails(2), fails(3)).state.voting).toBe(false);
  });

  it('does not survive a pass while votes are out: the late answer decides nothing', () => {
    const { state, effects } = given(passes(0), fails(10), fails(11), passes(12)).when(votes(13, 1, ['fail', 'fail']));
    expect(state.announced).toBe('up');
    expect(effects).toEqual([]);
  });
});

describe('a target that stays as it was announced', () => {
  it.each([
    ['up', given(passes(0)), passes],
    ['degraded', given(passes(0), degrades(10), degrades(20)), degrades],
  ] as const)('%s keeps the very same state, result after result: nothing is remembered of them', (_, before, next) => {
    const { state } = before.when(next(30));
    expect(state.streak).toBeUndefined();
    const again = decide(state, next(40), DEFAULT_HEALTH_POLICY);
    expect(again.state).toBe(state);
    expect(again.effects).toEqual([]);
  });

  it('counts a change from its first result on', () => {
    const { state } = given(passes(0), degrades(10), degrades(20)).when(degrades(30), passes(40));
    expect(state).toMatchObject({ announced: 'degraded', streak: { of: 'pass', count: 1, first: second(40) } });
  });
});

describe('votes (rule 2)', () => {
  const suspicion = given(passes(0), fails(10), fails(11));

  it('confirm with one other fail vote of two', () => {
    const [transition] = announced(suspicion.when(votes(12, 1, ['fail', 'pass'])).effects);
    expect(transition).toMatchObject({
      from: 'up',
      to: 'down',
      confidence: 'quorum',
      votes: { fail: 2, pass: 1, abstain: 0 },
      timeMs: second(10).wallMs,
      confirmedAtMs: second(12).wallMs,
      detectionMs: 2_000,
    });
    expect(transition?.evidence.map((word) => word.observer)).toEqual(['fra-1', 'fra-1', 'ams-1', 'ams-2']);
  });

  it('confirm with the only vote cast beside an abstention', () => {
    expect(announced(suspicion.when(votes(12, 1, ['fail', 'abstain'])).effects)).toMatchObject([{ to: 'down' }]);
  });

  it.each([[['pass', 'pass']], [['pass', 'abstain']], [['pass']]] as const)('refuse with %j', (cast) => {
    const { state, effects } = suspicion.when(votes(12, 1, [...cast]));
    expect(state).toMatchObject({ phase: 'up', announced: 'up', voting: false });
    expect(state.streak).toBeUndefined();
    expect(effects).toMatchObject([{ kind: 'vote-refused' }]);
  });

  it('refuse a tie of two and two', () => {
    expect(announced(suspicion.when(votes(12, 1, ['fail', 'pass', 'pass'])).effects)).toEqual([]);
  });

  it('of an older round are ignored', () => {
    const { effects } = given(passes(0), fails(10), fails(11), passes(12), fails(20), fails(21)).when(
      votes(22, 1, ['fail', 'fail']),
    );
    expect(effects).toEqual([]);
  });

  it('that keep being refused for more than five minutes are a divergence, said once', () => {
    const rounds = Array.from({ length: 33 }, (_, index) => {
      const at = 10 + index * 10;
      return [fails(at), fails(at + 1), votes(at + 2, index + 1, ['pass', 'pass'])];
    }).flat();
    const { state, effects } = given(passes(0)).when(...rounds);
    const said = effects.filter((effect) => effect.kind === 'vantage');
    expect(said).toEqual([{ kind: 'vantage', fact: 'diverged', sinceMs: second(10).wallMs }]);
    expect(state.announced).toBe('up');
    expect(given(passes(0), ...rounds).when(passes(400)).effects).toEqual([
      { kind: 'vantage', fact: 'converged', sinceMs: second(10).wallMs },
    ]);
  });
});

describe('one observer alone (rule 3)', () => {
  const alone = { voters: 1 };

  it('needs three failures and says single', () => {
    const history = given(passes(0), fails(10, alone), fails(11, alone));
    expect(announced(history.when().effects)).toEqual([]);
    expect(announced(history.when(fails(12, alone)).effects)).toMatchObject([{ to: 'down', confidence: 'single' }]);
  });

  it('needs one failure more than a configured 1, and exactly a configured 5', () => {
    const inputs = (count: number) => Array.from({ length: count }, (_, index) => fails(10 + index, alone));
    const announcedWith = (failures: number, count: number) =>
      announced(
        given(passes(0))
          .under({ failures })
          .when(...inputs(count)).effects,
      ).length;
    expect([announcedWith(1, 1), announcedWith(1, 2)]).toEqual([0, 1]);
    expect([announcedWith(5, 4), announcedWith(5, 5)]).toEqual([0, 1]);
  });

  it('is what a vote without answers makes of it', () => {
    const asked = given(passes(0), fails(10), fails(11));
    const { state, effects } = asked.when(votes(16, 1, ['abstain', 'abstain']));
    expect(state.phase).toBe('suspect');
    expect(announced(effects)).toEqual([]);
    expect(announced(asked.when(votes(16, 1, []), fails(17)).effects)).toMatchObject([
      { to: 'down', confidence: 'single', timeMs: second(10).wallMs },
    ]);
  });

  it('is decided at once when three failures are in already', () => {
    const asked = given(passes(0), fails(10), fails(11), fails(12));
    expect(announced(asked.when(votes(16, 1, [])).effects)).toMatchObject([{ to: 'down', confidence: 'single' }]);
  });
});

describe('recovery (rule 4)', () => {
  const outage = given(passes(0), fails(10), fails(11), votes(12, 1, ['fail', 'fail']));

  it('starts at the first pass and is announced at the second, with the episode of the outage', () => {
    expect(outage.when(passes(60)).state).toMatchObject({ phase: 'recovering', announced: 'down' });
    const { state, effects } = outage.when(passes(60), passes(61));
    const [transition] = announced(effects);
    expect(transition).toMatchObject({
      from: 'down',
      to: 'up',
      timeMs: second(60).wallMs,
      downMs: 50_000,
      episode: outage.when().state.episode,
    });
    expect(state).toMatchObject({ phase: 'up', announced: 'up' });
    expect(state.episode).toBeUndefined();
  });

  it('begins anew after a failure', () => {
    const { state, effects } = outage.when(passes(60), fails(61), passes(62));
    expect(state.phase).toBe('recovering');
    expect(announced(effects)).toEqual([]);
  });

  it('counts an answer that is merely degraded', () => {
    expect(announced(outage.when(degrades(60), degrades(61)).effects)).toMatchObject([{ to: 'up' }]);
  });
});

describe('degradation', () => {
  it('is announced after as many results as a failure, and restored in the same episode', () => {
    const degraded = given(passes(0), degrades(10)).when(degrades(20));
    expect(announced(degraded.effects)).toMatchObject([{ from: 'up', to: 'degraded', timeMs: second(10).wallMs }]);
    const restored = given(passes(0), degrades(10), degrades(20)).when(passes(30), passes(40));
    expect(announced(restored.effects)).toMatchObject([
      { from: 'degraded', to: 'up', episode: degraded.state.episode },
    ]);
  });

  it('that becomes an outage stays one episode', () => {
    const history = [passes(0), degrades(10), degrades(20), fails(30), fails(31), votes(32, 1, ['fail'])];
    const { effects } = given().when(...history, passes(60), passes(61));
    const episodes = announced(effects).map((transition) => transition.episode);
    expect(announced(effects).map((transition) => transition.to)).toEqual(['up', 'degraded', 'down', 'up']);
    expect(new Set(episodes.slice(1)).size).toBe(1);
    expect(episodes[1]).toMatch(/^ep_/);
  });
});

describe('local trouble (rule 6)', () => {
  it('is never a failure, nor a pass, nor the end of a suspicion', () => {
    const local = { origin: 'local' } as const;
    for (const history of [[passes(0)], [passes(0), fails(10)], []]) {
      const before = given(...history).when().state;
      expect(given(...history).when(fails(20, local), fails(21, local), fails(22, local))).toEqual({
        state: before,
        effects: [],
      });
    }
  });
});

describe('an isolated observer', () => {
  it('knows nothing, and goes on where it was when it is back', () => {
    const cut = given(passes(0), fails(10), { kind: 'isolated' });
    const { state, effects } = cut.when(fails(11), fails(12), fails(13));
    expect(state).toMatchObject({ phase: 'unknown', announced: 'up' });
    expect(effects).toEqual([]);
    expect(cut.when({ kind: 'rejoined' }).state).toMatchObject({ phase: 'up', announced: 'up' });
  });
});

describe('a silent target', () => {
  it('is stale until the next result', () => {
    expect(given(passes(0)).when({ kind: 'silent' }).state.phase).toBe('stale');
    expect(given(passes(0), { kind: 'silent' }).when(passes(90)).state.phase).toBe('up');
  });
});

describe('what the store says (rule 14)', () => {
  const recordedDown = { kind: 'recorded', announced: 'down', sinceMs: second(-60).wallMs, episode: 'ep_1' } as const;

  it('is announced by nobody again', () => {
    const inputs = [fails(0), fails(1), votes(2, 1, ['fail', 'fail'])];
    expect(given(recordedDown).when(...inputs)).toMatchObject({
      state: { phase: 'down', episode: 'ep_1' },
      effects: [],
    });
    expect(given({ kind: 'recorded', announced: 'up' }).when(passes(0)).effects).toEqual([]);
  });

  it('makes a recovery close the outage that was announced', () => {
    expect(announced(given(recordedDown).when(passes(0), passes(1)).effects)).toMatchObject([
      { from: 'down', to: 'up', episode: 'ep_1', downMs: 60_000 },
    ]);
  });

  it('wins where it differs, and what is observed is confirmed again', () => {
    const lost = given(passes(0), fails(10), fails(11), votes(12, 1, ['fail']), { kind: 'recorded', announced: 'up' });
    expect(lost.when().state).toMatchObject({ phase: 'up', announced: 'up' });
    expect(announced(lost.when(fails(20), fails(21), votes(22, 2, ['fail'])).effects)).toMatchObject([{ to: 'down' }]);
  });

  it('leaves a suspicion standing', () => {
    const { state } = given(fails(0), { kind: 'recorded', announced: 'up' }).when();
    expect(state).toMatchObject({ phase: 'suspect', announced: 'up', streak: { count: 1 } });
  });
});
