import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstProbeDelayMs, nextProbeDelayMs, spreadOf } from './cadence.js';
import { DEFAULT_HEALTH_POLICY } from './policy.js';
import { initialHealth, type HealthPhase } from './state.js';

const middle = () => 0.5;

function delay(
  phase: HealthPhase,
  options: { nowMs?: number; downForMs?: number; random?: () => number } = {},
): number {
  const nowMs = options.nowMs ?? 1_000_000;
  const state = { ...initialHealth('node/a'), phase, sinceMs: nowMs - (options.downForMs ?? 0) };
  return nextProbeDelayMs(state, DEFAULT_HEALTH_POLICY, nowMs, nowMs, options.random ?? middle);
}

describe('the cadence', () => {
  it('spreads first probes evenly over one interval', () => {
    const delays = Array.from({ length: 1_000 }, (_, index) =>
      firstProbeDelayMs(`node/edge-${index}`, DEFAULT_HEALTH_POLICY),
    );
    const perSecond = Array.from({ length: 10 }, (_, s) => delays.filter((ms) => Math.floor(ms / 1_000) === s).length);
    expect(Math.max(...delays)).toBeLessThan(10_000);
    expect(Math.min(...perSecond)).toBeGreaterThan(70);
    expect(Math.max(...perSecond)).toBeLessThan(130);
  });

  it('gives a first word within half a minute even where the interval is a day', () => {
    expect(firstProbeDelayMs('node/a', { ...DEFAULT_HEALTH_POLICY, intervalMs: 86_400_000 })).toBeLessThan(30_000);
  });

  it('keeps normal probes to their slots, with at most 10 % of jitter either way', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(50), (random, slot) => {
        const phaseMs = spreadOf('node/a') * 10_000;
        const nowMs = 1_000_000 + slot * 777;
        const due = nowMs + delay('up', { nowMs, random: () => random });
        const off = Math.abs(((due - phaseMs + 5_000) % 10_000) - 5_000);
        expect(off).toBeLessThanOrEqual(1_000.001);
      }),
    );
  });

  it('lets no slot out and repeats none, wherever in its jitter a probe fell', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 50, maxLength: 50 }),
        (rolls) => {
          let nowMs = 5_000_000;
          const started = nowMs;
          for (const roll of rolls) nowMs += delay('up', { nowMs, random: () => roll }) + 1;
          expect(nowMs - started).toBeGreaterThan(48 * 10_000);
          expect(nowMs - started).toBeLessThan(52 * 10_000);
        },
      ),
    );
  });

  it.each(['suspect', 'recovering'] as const)('is fast, ±20 %, while %s', (phase) => {
    expect(delay(phase, { random: () => 0 })).toBeCloseTo(800);
    expect(delay(phase, { random: middle })).toBe(1_000);
    expect(delay(phase, { random: () => 0.9999 })).toBeLessThanOrEqual(1_200);
  });

  it('is normal for the first five minutes of an outage, then every 30 s', () => {
    expect(delay('down', { downForMs: 299_000 })).toBeLessThanOrEqual(15_000);
    const due = 1_000_000 + delay('down', { downForMs: 301_000 });
    expect((due - spreadOf('node/a') * 30_000) % 30_000).toBeCloseTo(0);
  });
});
