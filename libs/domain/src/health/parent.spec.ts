import { describe, expect, it } from 'vitest';
import { ancestorsOf, hiddenBy, recheckDelayMs } from './parent.js';
import type { ProbeResult } from './probe-result.js';

const probe = (outcome: ProbeResult['outcome'], origin: ProbeResult['origin'] = 'remote'): ProbeResult => ({
  ...{ kind: 'result', outcome, origin, detail: '', durationMs: 1, phasesMs: {} },
});

describe('a parent', () => {
  it('hides its children only when it certainly fails', () => {
    expect(hiddenBy(probe('fail'))).toBe(true);
    expect(hiddenBy(probe('pass'))).toBe(false);
    expect(hiddenBy(probe('degraded'))).toBe(false);
    expect(hiddenBy(probe('fail', 'local'))).toBe(false);
    expect(hiddenBy({ kind: 'void', detail: '', durationMs: 1 })).toBe(false);
  });

  it('that is back has its children probed over one interval', () => {
    const delays = Array.from({ length: 1_000 }, (_, index) => recheckDelayMs(`node/${index}`, 10_000));
    expect(Math.max(...delays)).toBeLessThan(10_000);
    expect(delays.filter((ms) => ms < 1_000).length).toBeGreaterThan(60);
  });

  it('may have parents, but no chain runs for ever', () => {
    const parents: Record<string, string> = { node: 'switch', switch: 'router', a: 'b', b: 'a' };
    const parentOf = (name: string) => parents[name];
    expect(ancestorsOf('node', parentOf)).toEqual(['switch', 'router']);
    expect(ancestorsOf('a', parentOf)).toEqual(['b']);
  });
});
