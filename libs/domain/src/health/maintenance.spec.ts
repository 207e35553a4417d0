import { describe, expect, it } from 'vitest';
import { inMaintenance, nextMaintenanceChangeMs, type MaintenanceWindow } from './maintenance.js';

const windows: MaintenanceWindow[] = [
  { startMs: 1_000, endMs: 2_000, selector: { site: 'fra', role: 'edge' } },
  { startMs: 5_000, endMs: 6_000, selector: {} },
];

describe('maintenance', () => {
  it.each([
    [{ site: 'fra', role: 'edge' }, 999, false],
    [{ site: 'fra', role: 'edge', tier: '1' }, 1_000, true],
    [{ site: 'fra', role: 'edge' }, 1_999, true],
    [{ site: 'fra', role: 'edge' }, 2_000, false],
    [{ site: 'fra' }, 1_500, false],
    [{}, 5_500, true],
  ])('of %j at %d: %s', (labels, nowMs, expected) => {
    expect(inMaintenance(windows, labels, nowMs)).toBe(expected);
  });

  it('knows when it changes next', () => {
    expect([0, 1_000, 2_000, 5_500, 6_000].map((nowMs) => nextMaintenanceChangeMs(windows, nowMs))).toEqual([
      1_000,
      2_000,
      5_000,
      6_000,
      undefined,
    ]);
  });
});
