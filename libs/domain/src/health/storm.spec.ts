import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_STORM, weather, type StormEffect, type StormInput, type StormState } from './storm.js';

const down = (subjects: string | readonly string[], nowMs: number): StormInput => ({
  kind: 'down',
  subjects: [subjects].flat(),
  nowMs,
});
const up = (...subjects: string[]): StormInput => ({ kind: 'up', subjects });
const tick = (nowMs: number, suspects = 0): StormInput => ({ kind: 'tick', nowMs, suspects });
const members = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `m${from + index}`);
const each = (kind: 'announce' | 'absorb' | 'release', subjects: readonly string[]) =>
  subjects.map((subject) => ({ kind, subject }));

function run(size: number, ...inputs: StormInput[]): { state: StormState; effects: StormEffect[] } {
  let state = NO_STORM;
  const effects = inputs.flatMap((input) => {
    const decision = weather(state, input, size);
    state = decision.state;
    return decision.effects;
  });
  return { state, effects };
}

/** Without the looks at everybody, which decide nothing. */
const decided = (size: number, ...inputs: StormInput[]) =>
  run(size, ...inputs).effects.filter(({ kind }) => kind !== 'look');

describe('a storm', () => {
  it('never delays the first member', () => {
    expect(run(10, down('a', 0)).effects).toEqual(each('announce', ['a']));
    expect(run(10, down(['a', 'b', 'c'], 0)).effects).toEqual(each('announce', ['a']));
  });

  it('is one outage of the group that names the members, when more than 55 % fail', () => {
    const six = members(6);
    const { effects } = run(10, ...six.map((member, index) => down(member, index * 100)), tick(5_000));
    expect(effects).toEqual([
      ...each('announce', ['m0']),
      { kind: 'group-outage', members: six },
      ...each('absorb', six.slice(1)),
    ]);
  });

  it('is none with exactly 55 %: every member is told by itself, five seconds later', () => {
    const eleven = members(11);
    const early = run(20, ...eleven.map((member) => down(member, 0)), tick(1_999), tick(4_999));
    expect(early.effects).toEqual([...each('announce', ['m0']), { kind: 'look' }]);
    const late = run(20, ...eleven.map((member) => down(member, 0)), tick(5_000));
    expect(late.effects).toEqual(each('announce', eleven));
  });

  it('is waited for while those who fail without being confirmed would make it one', () => {
    const slow = [down(members(400), 0), tick(5_000, 300), tick(5_999, 0), down(members(300, 400), 5_500)];
    expect(decided(1_000, ...slow)).toEqual(each('announce', ['m0']));
    const effects = decided(1_000, ...slow, tick(6_000, 200));
    expect(effects[1]).toEqual({ kind: 'group-outage', members: members(700) });
    expect(effects.slice(2)).toEqual(each('absorb', members(699, 1)));
  });

  it('is waited for no longer than fifteen seconds, and not for suspects who are too few', () => {
    const some = down(members(400), 0);
    expect(run(1_000, some, tick(14_999, 300)).effects).toHaveLength(1);
    expect(run(1_000, some, tick(15_000, 300)).effects).toEqual(each('announce', members(400)));
    expect(run(1_000, some, tick(5_000, 150)).effects).toEqual(each('announce', members(400)));
  });

  it('has everybody looked at, once, where so much of the group fails within two seconds', () => {
    const looks = (size: number, ...inputs: StormInput[]) =>
      run(size, ...inputs).effects.filter(({ kind }) => kind === 'look');
    expect(looks(1_000, down(members(51), 0), tick(1_999))).toEqual([]);
    expect(looks(1_000, down(members(51), 0), tick(2_000), tick(3_000), tick(4_000))).toHaveLength(1);
    expect(looks(1_000, down(members(50), 0), tick(2_000))).toEqual([]);
    expect(looks(10, down('a', 0), tick(2_000))).toEqual([]);
    expect(looks(2, down(['a', 'b'], 0), tick(2_000))).toEqual([]);
  });

  it('goes on where another keeper has begun to collect: nobody is the first again', () => {
    const handed: StormInput = { kind: 'down', subjects: members(9), nowMs: 70_000, collectedMs: 3_000 };
    expect(decided(10, handed, tick(71_999))).toEqual([]);
    expect(decided(10, handed, tick(72_000))).toEqual([
      { kind: 'group-outage', members: members(9) },
      ...each('absorb', members(9)),
    ]);
    const late: StormInput = { ...handed, collectedMs: 60_000 };
    // All who wait have to be heard first, also those that other observers watch.
    expect(decided(20, late, tick(70_999), down(members(9, 9), 70_999), tick(71_000))[0]).toEqual({
      kind: 'group-outage',
      members: members(18),
    });
  });

  it('takes in members that go later, and ends when most are back: those left are judged by themselves', () => {
    const start = [down('a', 0), down('b', 1), down('c', 2), tick(5_000)];
    const { effects } = run(4, ...start, down('d', 6_000), up('a'), up('b'), up('c'));
    expect(effects.slice(3)).toEqual([
      ...each('absorb', ['c', 'd']),
      { kind: 'group-recovered', members: ['a', 'b', 'c', 'd'] },
      ...each('release', ['a', 'b', 'c', 'd']),
    ]);
  });

  it('needs three members', () => {
    expect(run(2, down('a', 0), down('b', 1), tick(5_000)).effects).toEqual(each('announce', ['a', 'b']));
  });

  it('loses no member, and begins and ends in turn, whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('down' as const, 'up' as const, 'tick' as const),
      members: fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 3 }),
      suspects: fc.nat(4),
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
        const end = { kind: 'tick' as const, members: [], suspects: 0, afterMs: 20_000 };
        for (const { kind, members: numbers, suspects, afterMs } of [...steps, end]) {
          nowMs += afterMs;
          const subjects = numbers.map((number) => `m${number}`);
          for (const subject of subjects) {
            if (kind === 'down' && !downs.has(subject)) went += 1;
            if (kind === 'down') downs.add(subject);
            if (kind === 'up') downs.delete(subject);
          }
          const input =
            kind === 'tick' ? tick(nowMs, suspects) : kind === 'up' ? up(...subjects) : down(subjects, nowMs);
          const decision = weather(state, input, 8);
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
