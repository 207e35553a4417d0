import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALM, calmAtMs, calmed, flapped, type FlapState } from './flapping.js';

const MINUTE = 60_000;

function downsAt(...minutes: number[]): { state: FlapState; changes: (string | undefined)[] } {
  let state = CALM;
  const changes = minutes.map((minute) => {
    const step = flapped(state, minute * MINUTE);
    state = step.state;
    return step.change;
  });
  return { state, changes };
}

describe('flapping', () => {
  it('starts with the fourth down within a few minutes, once', () => {
    expect(downsAt(0, 1, 2, 3, 4).changes).toEqual([undefined, undefined, undefined, 'started', undefined]);
  });

  it('starts with three at the same moment', () => {
    expect(downsAt(0, 0, 0).changes).toEqual([undefined, undefined, 'started']);
  });

  it('does not start where downs are far apart', () => {
    const hourly = Array.from({ length: 48 }, (_, hour) => hour * 60);
    expect(downsAt(...hourly).changes).toEqual(hourly.map(() => undefined));
  });

  it('stops when only the weight of one down is left, once', () => {
    const { state } = downsAt(0, 0, 0, 0);
    expect(calmAtMs(state)).toBe(20 * MINUTE);
    expect(calmed(state, 19.9 * MINUTE)).toEqual({ state });
    const stopped = calmed(state, 20 * MINUTE);
    expect(stopped.change).toBe('stopped');
    expect(stopped.state.flapping).toBe(false);
    expect(calmed(stopped.state, 30 * MINUTE).change).toBeUndefined();
  });

  it('is forgiven within 36 minutes, however wild it was', () => {
    const { state } = downsAt(...Array.from({ length: 500 }, () => 0));
    expect((calmAtMs(state) ?? 0) / MINUTE).toBeCloseTo(35.85, 1);
  });

  it('starts and stops in turn, whatever happens', () => {
    const steps = fc.array(fc.record({ down: fc.boolean(), afterMs: fc.nat(20 * MINUTE) }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (happenings) => {
        let state = CALM;
        let nowMs = 0;
        let last: string | undefined = 'stopped';
        for (const { down, afterMs } of happenings) {
          nowMs += afterMs;
          const { change, state: next } = down ? flapped(state, nowMs) : calmed(state, nowMs);
          state = next;
          if (change === undefined) continue;
          expect(change).not.toBe(last);
          last = change;
        }
      }),
    );
  });
});
