import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Transition } from './state.js';
import {
  entryFor,
  OVERLAYS,
  reconciliation,
  standingAfter,
  toldOf,
  type HealthEntry,
  type Overlay,
  type Standing,
} from './suppression.js';

type Step = { change: Transition } | { overlay: Overlay; on: boolean } | { nowMs: number };

function change(from: 'up' | 'down', to: 'up' | 'down', timeMs = 0, episode = 'ep_1'): Step {
  return {
    change: {
      ...{ subject: 'node/a', from, to, timeMs, confirmedAtMs: timeMs, detectionMs: 0, episode },
      ...{ confidence: 'quorum', evidence: [] },
    },
  };
}
const overlay = (name: Overlay, on: boolean): Step => ({ overlay: name, on });

/** What an observer does: each change makes its entry, and whenever nothing is left to enter it asks what is due. */
function run(steps: readonly Step[]) {
  let standing: Standing = { announced: 'up', sinceMs: 0 };
  let newest: Transition | undefined;
  let overlays: Overlay[] = [];
  let nowMs = 0;
  const entries: HealthEntry[] = [];
  const enter = (entry: HealthEntry | undefined) => {
    if (entry === undefined) return;
    entries.push(entry);
    standing = standingAfter(entry);
    newest = entry.transition;
  };
  for (const step of steps) {
    if ('nowMs' in step) nowMs = step.nowMs;
    else if ('change' in step) enter(entryFor(standing, step.change, overlays));
    else overlays = [...overlays.filter((one) => one !== step.overlay), ...(step.on ? [step.overlay] : [])];
    if (newest !== undefined) enter(reconciliation(standing, newest, overlays, nowMs));
  }
  return { standing, entries, told: entries.filter((entry) => entry.withheld === undefined) };
}

describe('suppression', () => {
  it('is not there without an overlay', () => {
    const { entries, told } = run([change('up', 'down'), change('down', 'up')]);
    expect(told).toEqual(entries);
    expect(told).toMatchObject([{ fact: 'offline' }, { fact: 'online', transition: { episode: 'ep_1' } }]);
  });

  it('tells nothing of an outage that begins and ends within it, and stores both changes', () => {
    const { entries, told, standing } = run([
      overlay('maintenance', true),
      change('up', 'down'),
      change('down', 'up'),
      overlay('maintenance', false),
    ]);
    expect(told).toEqual([]);
    expect(entries).toMatchObject([
      { fact: 'offline', withheld: { because: ['maintenance'], told: { announced: 'up' } } },
      { fact: 'online', withheld: { because: ['maintenance'], told: { announced: 'up' } } },
    ]);
    expect(standing.announced).toBe('up');
  });

  it('ends with one event where the truth has become another', () => {
    const { told, standing } = run([
      overlay('maintenance', true),
      change('up', 'down', 1, 'ep_1'),
      change('down', 'up', 2, 'ep_1'),
      change('up', 'down', 3, 'ep_2'),
      overlay('maintenance', false),
    ]);
    expect(told).toMatchObject([
      {
        fact: 'offline',
        reconciles: ['maintenance'],
        transition: { from: 'up', to: 'down', timeMs: 3, episode: 'ep_2' },
      },
    ]);
    expect(standing).toEqual({ announced: 'down', sinceMs: 3, episode: 'ep_2' });
  });

  it('closes an outage that was told before it, in its own episode', () => {
    const { told } = run([
      change('up', 'down', 1, 'ep_1'),
      overlay('flapping', true),
      change('down', 'up', 2, 'ep_1'),
      change('up', 'down', 3, 'ep_2'),
      change('down', 'up', 4, 'ep_2'),
      overlay('flapping', false),
    ]);
    expect(told).toMatchObject([
      { fact: 'offline', transition: { episode: 'ep_1' } },
      { fact: 'online', reconciles: ['flapping'], transition: { from: 'down', episode: 'ep_1', downMs: 3 } },
    ]);
  });

  it('lasts until the last overlay is lifted', () => {
    const steps = [overlay('maintenance', true), overlay('storm', true), change('up', 'down')];
    expect(run([...steps, overlay('maintenance', false)]).told).toHaveLength(0);
    expect(run([...steps, overlay('maintenance', false), overlay('storm', false)]).told).toHaveLength(1);
  });

  it('stores a truth that comes back by itself after the overlay, before anybody was told', () => {
    const up: Standing = { announced: 'up', sinceMs: 0 };
    const down: Standing = { announced: 'down', sinceMs: 1, kept: { told: up, because: ['storm'] } };
    const back = change('down', 'up', 2) as { change: Transition };
    expect(entryFor(down, back.change, [])).toMatchObject({
      fact: 'online',
      withheld: { because: ['storm'], told: up },
    });
  });

  it('lets a down through that has held for a minute, although the target flaps; but not in maintenance', () => {
    const steps = [overlay('flapping', true), change('up', 'down', 1_000)];
    expect(run([...steps, { nowMs: 60_999 }]).told).toEqual([]);
    const steady = run([...steps, { nowMs: 61_000 }, { nowMs: 62_000 }]);
    expect(steady.told).toMatchObject([{ reconciles: ['flapping'], transition: { to: 'down' } }]);
    expect(run([overlay('maintenance', true), ...steps, { nowMs: 61_000 }]).told).toEqual([]);
  });

  it('keeps no first verdict back: it is told to nobody anyway', () => {
    const first = { ...(change('up', 'down') as { change: Transition }).change, from: 'pending', to: 'up' } as const;
    expect(entryFor({ announced: 'pending' }, first, ['maintenance'])).toMatchObject({ fact: 'fresh' });
    expect(entryFor({ announced: 'pending' }, first, ['maintenance'])).not.toHaveProperty('withheld');
  });

  it('loses nothing: every change is in the log, and what was told last is the truth in the end', () => {
    const step = fc.oneof(
      fc.constant('toggle' as const),
      fc.record({ overlay: fc.constantFrom(...OVERLAYS), on: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let current: 'up' | 'down' = 'up';
        let changes = 0;
        const taken = steps.map((one, index): Step => {
          if (one !== 'toggle') return one;
          const from = current;
          current = from === 'up' ? 'down' : 'up';
          changes += 1;
          return change(from, current, index, `ep_${index}`);
        });
        const { entries, standing, told } = run([...taken, ...OVERLAYS.map((name) => overlay(name, false))]);
        expect(entries.filter((entry) => entry.reconciles === undefined)).toHaveLength(changes);
        expect(toldOf(standing).announced).toBe(current);
        expect(standing.announced).toBe(current);
        let last = 'up';
        for (const { transition } of told) {
          expect(transition.from).toBe(last);
          expect(transition.to).not.toBe(last);
          last = transition.to;
        }
      }),
    );
  });
});
