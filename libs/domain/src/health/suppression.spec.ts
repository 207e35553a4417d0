import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Transition } from './state.js';
import { suppress, unsuppressed, type Overlay, type Suppression, type SuppressionInput } from './suppression.js';

function change(from: 'up' | 'down', to: 'up' | 'down', timeMs = 0, episode = 'ep_1'): Transition {
  return {
    ...{ subject: 'node/a', from, to, timeMs, confirmedAtMs: timeMs, detectionMs: 0, episode },
    ...{ confidence: 'quorum', evidence: [] },
  };
}
const transition = (...args: Parameters<typeof change>): SuppressionInput => ({
  kind: 'transition',
  transition: change(...args),
});
const overlay = (name: Overlay, on: boolean): SuppressionInput => ({ kind: 'overlay', overlay: name, on });

function run(inputs: readonly SuppressionInput[], from: Suppression = unsuppressed('up')) {
  let state = from;
  const effects = inputs.flatMap((input) => {
    const decision = suppress(state, input);
    state = decision.state;
    return decision.effects;
  });
  return { state, effects, sent: effects.filter((effect) => effect.kind !== 'store') };
}

describe('suppression', () => {
  it('is not there without an overlay', () => {
    expect(run([transition('up', 'down'), transition('down', 'up')]).effects).toMatchObject([
      { kind: 'announce', transition: { to: 'down' } },
      { kind: 'announce', transition: { to: 'up' } },
    ]);
  });

  it('tells nothing of an outage that begins and ends within it, and stores both changes', () => {
    const { effects, sent } = run([
      overlay('maintenance', true),
      transition('up', 'down'),
      transition('down', 'up'),
      overlay('maintenance', false),
    ]);
    expect(sent).toEqual([]);
    expect(effects).toMatchObject([
      { kind: 'store', withheld: { because: ['maintenance'] } },
      { kind: 'store', withheld: { because: ['maintenance'] } },
    ]);
  });

  it('ends with one event where the truth has become another', () => {
    const { sent, state } = run([
      overlay('maintenance', true),
      transition('up', 'down', 1, 'ep_1'),
      transition('down', 'up', 2, 'ep_1'),
      transition('up', 'down', 3, 'ep_2'),
      overlay('maintenance', false),
    ]);
    expect(sent).toMatchObject([
      { kind: 'reconcile', transition: { from: 'up', to: 'down', timeMs: 3, episode: 'ep_2' } },
    ]);
    expect(state).toMatchObject({ announced: 'down', episode: 'ep_2', withheld: [] });
  });

  it('closes an outage that was announced before it, in its own episode', () => {
    const { sent } = run([
      transition('up', 'down', 1, 'ep_1'),
      overlay('flapping', true),
      transition('down', 'up', 2, 'ep_1'),
      transition('up', 'down', 3, 'ep_2'),
      transition('down', 'up', 4, 'ep_2'),
      overlay('flapping', false),
    ]);
    expect(sent).toMatchObject([
      { kind: 'announce', transition: { to: 'down', episode: 'ep_1' } },
      { kind: 'reconcile', transition: { from: 'down', to: 'up', episode: 'ep_1' } },
    ]);
  });

  it('lasts until the last overlay is lifted', () => {
    const inputs = [overlay('maintenance', true), overlay('storm', true), transition('up', 'down')];
    expect(run([...inputs, overlay('maintenance', false)]).sent).toEqual([]);
    expect(run([...inputs, overlay('maintenance', false), overlay('storm', false)]).sent).toHaveLength(1);
  });

  it('lets a down through that has held for a minute, although the target flaps; but not in maintenance', () => {
    const inputs = [overlay('flapping', true), transition('up', 'down', 1_000)];
    expect(run([...inputs, { kind: 'tick', nowMs: 60_999 }]).sent).toEqual([]);
    const steady = run([...inputs, { kind: 'tick', nowMs: 61_000 }, { kind: 'tick', nowMs: 62_000 }]);
    expect(steady.sent).toMatchObject([{ kind: 'reconcile', transition: { to: 'down' } }]);
    expect(run([overlay('maintenance', true), ...inputs, { kind: 'tick', nowMs: 61_000 }]).sent).toEqual([]);
  });

  it('loses nothing: stored and announced are all changes, and what was told last is the truth in the end', () => {
    const names: Overlay[] = ['maintenance', 'flapping', 'unreachable', 'storm'];
    const step = fc.oneof(
      fc.constant('toggle' as const),
      fc.record({ overlay: fc.constantFrom(...names), on: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let current: 'up' | 'down' = 'up';
        let changes = 0;
        const inputs = steps.map((one, index): SuppressionInput => {
          if (one !== 'toggle') return overlay(one.overlay, one.on);
          const from = current;
          current = from === 'up' ? 'down' : 'up';
          changes += 1;
          return transition(from, current, index, `ep_${index}`);
        });
        const { effects, state, sent } = run([...inputs, ...names.map((name) => overlay(name, false))]);
        expect(effects.filter((effect) => effect.kind !== 'reconcile')).toHaveLength(changes);
        expect(state.announced).toBe(current);
        let last = 'up';
        for (const effect of sent) {
          expect(effect.transition.from).toBe(last);
          expect(effect.transition.to).not.toBe(last);
          last = effect.transition.to;
        }
      }),
    );
  });
});
