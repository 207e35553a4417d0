import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_STORM, weather, type StormEffect, type StormInput, type StormState } from './storm.js';

const down = (subject: string, nowMs: number): StormInput => ({ kind: 'down', subject, nowMs });
const up = (subject: string, nowMs: number): StormInput => ({ kind: 'up', subject, nowMs });
const tick = (nowMs: number): StormInput => ({ kind: 'tick', nowMs });

function run(size: number, ...inputs: StormInput[]): { state: StormState; effects: StormEffect[] } {
  let state = NO_STORM;
  const effects = inputs.flatMap((input) => {
    const decision = weather(state, input, size);
    state = decision.state;
    return decision.effects;
  });
  return { state, effects };
}

describe('a storm', () => {
  it('never delays the first member', () => {
    expect(run(10, down('a', 0)).effects).toEqual([{ kind: 'announce', subject: 'a' }]);
  });

  it('is one outage of the group that names the members, when more than 55 % fail', () => {
    const members = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { effects } = run(10, ...members.map((member, index) => down(member, index * 100)), tick(5_000));
    expect(effects).toEqual([
      { kind: 'announce', subject: 'a' },
      { kind: 'group-outage', members },
      ...members.slice(1).map((subject) => ({ kind: 'absorb', subject })),
    ]);
  });

  it('is none with exactly 55 %: every member is told by itself, five seconds later', () => {
    const members = Array.from({ length: 11 }, (_, index) => `m${index}`);
    const { effects } = run(20, ...members.map((member) => down(member, 0)), tick(4_999));
    expect(effects).toHaveLength(1);
    const late = run(20, ...members.map((member) => down(member, 0)), tick(5_000));
    expect(late.effects).toEqual(members.map((subject) => ({ kind: 'announce', subject })));
  });

  it('takes in members that go later, and ends when most are back: those left are judged by themselves', () => {
    const start = [down('a', 0), down('b', 1), down('c', 2), tick(5_000)];
    const { effects } = run(4, ...start, down('d', 6_000), up('a', 9_000), up('b', 9_001), up('c', 9_002));
    expect(effects.slice(3)).toEqual([
      { kind: 'absorb', subject: 'c' },
      { kind: 'absorb', subject: 'd' },
      { kind: 'group-recovered', members: ['a', 'b', 'c', 'd'] },
      ...['a', 'b', 'c', 'd'].map((subject) => ({ kind: 'release', subject })),
    ]);
  });

  it('needs three members', () => {
    expect(run(2, down('a', 0), down('b', 1), tick(5_000)).effects).toEqual([
      { kind: 'announce', subject: 'a' },
      { kind: 'announce', subject: 'b' },
    ]);
  });

  it('loses no member, and begins and ends in turn, whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('down' as const, 'up' as const, 'tick' as const),
      member: fc.integer({ min: 0, max: 7 }),
      afterMs: fc.nat(4_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let nowMs = 0;
        let state = NO_STORM;
        let group = 'group-recovered';
        const downs = new Set<string>();
        let accounted = 0;
        let went = 0;
        for (const { kind, member, afterMs } of [...steps, { kind: 'tick' as const, member: 0, afterMs: 10_000 }]) {
          nowMs += afterMs;
          const subject = `m${member}`;
          if (kind === 'down' && !downs.has(subject)) went += 1;
          if (kind === 'down') downs.add(subject);
          if (kind === 'up') downs.delete(subject);
          const decision = weather(state, kind === 'tick' ? tick(nowMs) : { kind, subject, nowMs }, 8);
          state = decision.state;
          for (const effect of decision.effects) {
            if (effect.kind === 'announce' || effect.kind === 'absorb') accounted += 1;
            if (effect.kind === 'group-outage' || effect.kind === 'group-recovered') {
              expect(effect.kind).not.toBe(group);
              group = effect.kind;
            }
          }
        }
        expect(accounted).toBe(went);
        expect(state.failing.toSorted()).toEqual([...downs].toSorted());
      }),
    );
  });
});
