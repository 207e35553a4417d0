import { describe, expect, it } from 'vitest';
import type { ProbeResult, VoidedProbe } from './probe-result.js';
import { voteOf } from './quorum.js';

const probe = (outcome: ProbeResult['outcome'], origin: ProbeResult['origin'] = 'remote'): ProbeResult => ({
  kind: 'result',
  outcome,
  origin,
  detail: '',
  durationMs: 1,
  phasesMs: {},
});
const voided: VoidedProbe = { kind: 'void', detail: '', durationMs: 1 };

describe('the vote of two probes', () => {
  it.each([
    ['fail', [probe('fail'), probe('fail')]],
    ['pass', [probe('fail'), probe('pass')]],
    ['pass', [probe('degraded')]],
    ['abstain', [probe('fail'), probe('fail', 'local')]],
    ['abstain', [probe('fail'), voided]],
    ['pass', [voided, probe('pass')]],
    ['abstain', []],
  ] as const)('is %s', (vote, probes) => {
    expect(voteOf(probes)).toBe(vote);
  });
});
