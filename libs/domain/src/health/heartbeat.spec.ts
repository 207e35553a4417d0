import { describe, expect, it } from 'vitest';
import { awaitingHeartbeat, hearken, type HeartbeatInput, type HeartbeatPolicy } from './heartbeat.js';

const active: HeartbeatPolicy = { intervalMs: 10_000, activeProbe: true };
const passive: HeartbeatPolicy = { intervalMs: 10_000, activeProbe: false };
const beat = (nowMs: number): HeartbeatInput => ({ kind: 'beat', nowMs });
const tick = (nowMs: number): HeartbeatInput => ({ kind: 'tick', nowMs });

function run(policy: HeartbeatPolicy, ...inputs: HeartbeatInput[]) {
  let state = awaitingHeartbeat(0);
  return inputs.flatMap((input) => {
    const decision = hearken(state, input, policy);
    state = decision.state;
    return decision.effects;
  });
}

describe('heartbeats', () => {
  it('may be late, and two may be missed', () => {
    expect(run(active, beat(0), tick(29_999), beat(30_000), tick(59_999))).toEqual([]);
  });

  it('that are missed three times make the active probe look, once', () => {
    expect(run(active, beat(0), tick(30_000), tick(31_000))).toEqual([{ kind: 'probe' }]);
  });

  it('tell a dead agent from a dead node', () => {
    const lost: HeartbeatInput = { kind: 'probed', passes: true };
    expect(run(active, beat(0), tick(30_000), lost, beat(90_000))).toEqual([
      { kind: 'probe' },
      { kind: 'heartbeat-lost', sinceMs: 10_000 },
      { kind: 'heartbeat-resumed' },
    ]);
    const dead: HeartbeatInput = { kind: 'probed', passes: false };
    expect(run(active, beat(0), tick(30_000), dead, beat(90_000))).toEqual([
      { kind: 'probe' },
      { kind: 'offline', sinceMs: 10_000 },
      { kind: 'online' },
    ]);
  });

  it('that come while the probe looks make its answer worthless', () => {
    expect(run(active, tick(30_000), beat(30_500), { kind: 'probed', passes: false })).toEqual([{ kind: 'probe' }]);
  });

  it('are all there is where no probe can look', () => {
    expect(run(passive, beat(0), tick(30_000), tick(40_000), beat(50_000))).toEqual([
      { kind: 'offline', sinceMs: 10_000 },
      { kind: 'online' },
    ]);
  });
});
