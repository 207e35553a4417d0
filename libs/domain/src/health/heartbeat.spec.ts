import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decide.js';
import { awaitingHeartbeat, hearken, silentAfterMs, type HeartbeatEffect, type HeartbeatInput } from './heartbeat.js';
import { initialHealth, type AnnouncedHealth, type HealthState } from './state.js';

const INTERVAL_MS = 10_000;
const active = { intervalMs: INTERVAL_MS, graceMs: 0, activeProbe: true };
const passive = { ...active, activeProbe: false };

const beat = (nowMs: number): HeartbeatInput => ({ kind: 'beat', nowMs, status: 'ok' });
const fail = (nowMs: number, message?: string): HeartbeatInput => ({
  kind: 'beat',
  nowMs,
  status: 'fail',
  ...(message === undefined ? {} : { message }),
});
const look = (nowMs: number, announced: AnnouncedHealth = 'up', listeningSinceMs = 0): HeartbeatInput => ({
  kind: 'look',
  nowMs,
  announced,
  listeningSinceMs,
});
const deafLook = (nowMs: number): HeartbeatInput => ({ kind: 'look', nowMs, announced: 'up' });
const passes: HeartbeatInput = { kind: 'probed', passes: true };
const fails: HeartbeatInput = { kind: 'probed', passes: false };

/** Given what has happened, when this happens, then … the effects of the last input alone. */
function given(policy: typeof active, ...history: HeartbeatInput[]) {
  return {
    when: (input: HeartbeatInput): readonly HeartbeatEffect[] => {
      let state = awaitingHeartbeat(0);
      for (const each of history) state = hearken(state, each, policy).state;
      return hearken(state, input, policy).effects;
    },
  };
}

describe('a heartbeat', () => {
  it('is a passing result, and says that heartbeats come', () => {
    expect(given(active).when(beat(5_000))).toEqual([
      { kind: 'word', outcome: 'pass', sinceMs: 5_000, detail: 'heartbeat' },
      { kind: 'resumed' },
    ]);
  });

  it('may say that the target fails, which holds until it says otherwise, however long it is silent', () => {
    const word = { kind: 'word', outcome: 'fail', sinceMs: 1_000, detail: 'the target itself says: disk full' };
    expect(given(active).when(fail(1_000, 'disk full'))).toEqual([word, { kind: 'resumed' }]);
    expect(given(active, fail(1_000, 'disk full')).when(look(90_000))).toEqual([word]);
    expect(given(active, fail(1_000), beat(2_000)).when(look(3_000))).toEqual([]);
  });
});

describe('silence', () => {
  it('is none while the third heartbeat may still come, nor within the grace after it', () => {
    expect(given(passive, beat(0)).when(look(29_999))).toEqual([]);
    expect(given({ ...passive, graceMs: 5_000 }, beat(0)).when(look(34_999))).toEqual([]);
  });

  it('is a failure since the first heartbeat that was missed, where nothing can look', () => {
    expect(given(passive, beat(1_000)).when(look(31_000))).toEqual([
      { kind: 'word', outcome: 'fail', sinceMs: 11_000, detail: 'no heartbeat for 30s' },
    ]);
  });

  it('makes the active probe look, which tells a dead agent from a dead node', () => {
    const silent = given(active, beat(0), look(30_000));
    expect(given(active, beat(0)).when(look(30_000))).toEqual([{ kind: 'probe' }]);
    expect(silent.when(passes)).toEqual([{ kind: 'lost', sinceMs: 10_000 }]);
    expect(silent.when(fails)).toEqual([]);
  });

  it('of a target nobody has ever heard of is waited for', () => {
    expect(given(passive).when(look(1_000_000, 'pending'))).toEqual([]);
    expect(given(active).when(look(1_000_000, 'pending'))).toEqual([]);
  });

  it('of a target that others have heard of counts from the beginning of the watch', () => {
    expect(given(passive).when(look(29_999))).toEqual([]);
    expect(given(passive).when(look(30_000))).toMatchObject([{ kind: 'word', outcome: 'fail' }]);
  });

  it('is none while nothing can be heard, and counts anew from when it can', () => {
    expect(given(passive, beat(0)).when(deafLook(100_000))).toEqual([]);
    expect(given(passive, beat(0)).when(look(129_999, 'up', 100_000))).toEqual([]);
    expect(given(passive, beat(0)).when(look(130_000, 'up', 100_000))).toHaveLength(1);
  });
});

/** Seconds between two things that happen, and what happens: a heartbeat, one that says `fail`, or nothing but looks. */
const happenings = fc.array(
  fc.record({ afterS: fc.integer({ min: 1, max: 60 }), what: fc.constantFrom('ok', 'fail', 'nothing') }),
  { minLength: 1, maxLength: 40 },
);

/** A passive heartbeat through the state machine of health, looked at every second. Announcements, with their time. */
function watch(story: readonly { afterS: number; what: string }[]) {
  const policy = { intervalMs: INTERVAL_MS, timeoutMs: 0, fastIntervalMs: 1_000, failures: 1, successes: 1 };
  let state = awaitingHeartbeat(0);
  let health: HealthState = initialHealth('node/edge-1');
  let nowMs = 0;
  const told: { to: AnnouncedHealth; atMs: number; episode: string | undefined }[] = [];
  const put = (input: HeartbeatInput) => {
    const decision = hearken(state, input, passive);
    state = decision.state;
    for (const effect of decision.effects) {
      if (effect.kind !== 'word') continue;
      const at = { wallMs: nowMs, monoMs: nowMs };
      const { outcome, detail } = effect;
      const result = { kind: 'result', origin: 'remote', outcome, detail, durationMs: 0, phasesMs: {} } as const;
      const word = { kind: 'result', observer: 'fra-1', startedAt: at, at, result, voters: 1 } as const;
      const step = decide(health, word, policy);
      health = step.state;
      for (const each of step.effects) {
        if (each.kind === 'announce')
          told.push({ to: each.transition.to, atMs: nowMs, episode: each.transition.episode });
      }
    }
  };
  for (const { afterS, what } of story) {
    for (let second = 0; second < afterS; second += 1) {
      nowMs += 1_000;
      put(look(nowMs, health.announced));
    }
    if (what === 'ok') put(beat(nowMs));
    else if (what === 'fail') put(fail(nowMs));
  }
  return { told, health };
}

describe('for any heartbeats', () => {
  it('down and up take turns, and each outage is closed in its own episode', () => {
    fc.assert(
      fc.property(happenings, (story) => {
        const { told } = watch([...story, { afterS: 1, what: 'ok' }]);
        for (const [index, one] of told.entries()) {
          expect(one.to).not.toBe(told[index - 1]?.to);
          if (told[index - 1]?.to === 'down') expect(one.episode).toBe(told[index - 1]?.episode);
        }
        expect(told.at(-1)?.to).toBe('up');
      }),
    );
  });

  it('that are never three intervals late and never say fail, nothing is down', () => {
    const punctual = fc.array(fc.integer({ min: 1, max: 29 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(punctual, (gaps) => {
        const { told } = watch(gaps.map((afterS) => ({ afterS, what: 'ok' })));
        expect(told.map(({ to }) => to)).toEqual(['up']);
      }),
    );
  });

  it('that end, the target is down after three intervals and a second look, and not before', () => {
    fc.assert(
      fc.property(happenings, (story) => {
        const { told } = watch([...story, { afterS: 1, what: 'ok' }, { afterS: 60, what: 'nothing' }]);
        const [up, down] = told.slice(-2);
        expect(down?.to).toBe('down');
        const lastMs = story.reduce((sum, { afterS }) => sum + afterS, 1) * 1_000;
        expect(down?.atMs).toBe(lastMs + silentAfterMs(passive) + 1_000);
        expect(up?.to).toBe('up');
      }),
    );
  });

  it('that never come, nothing is told', () => {
    expect(watch([{ afterS: 500, what: 'nothing' }]).told).toEqual([]);
  });
});
