import { targetSpecSchema } from '@tocsin/contracts';
import type { ProbeResult } from '@tocsin/domain';
import { FakeClock } from '@tocsin/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Probed } from '../schedule/probe-scheduler.js';
import { Target } from '../targets/target.js';
import { HeartbeatWatch, saysNothing } from './heartbeat-watch.js';

const passed: ProbeResult = {
  ...{ kind: 'result', outcome: 'pass', origin: 'remote', detail: 'HTTP 200', durationMs: 1, phasesMs: {} },
};

let clock: FakeClock;
let listeningSinceMs: number | undefined;
let probing: () => Promise<ProbeResult>;
let probed: Probed[];
let losses: boolean[];
let beats: string[];
let watch: HeartbeatWatch;

beforeEach(() => {
  clock = new FakeClock();
  listeningSinceMs = clock.monotonicMs();
  probing = () => Promise.resolve(passed);
  probed = [];
  losses = [];
  beats = [];
  watch = new HeartbeatWatch({
    clock,
    listeningSinceMs: () => listeningSinceMs,
    probe: () => probing(),
    onBeat: (status, late) => beats.push(`${status}${late ? ', late' : ''}`),
    onProbed: (_target, one) => probed.push(one),
    onLoss: (_target, { lost }) => losses.push(lost),
    lookIn: () => undefined,
    replan: () => undefined,
  });
});

/** A target that others have heard of before. */
function watched(check: Record<string, unknown> = {}): Target {
  const spec = targetSpecSchema.parse({ kind: 'node', check: { type: 'heartbeat', interval: '10s', ...check } });
  const target = new Target({ name: 'edge-1', revision: 1, spec }, clock.monotonicMs());
  target.health = { ...target.health, phase: 'up', announced: 'up' };
  watch.taken(target);
  return target;
}
const active = { type: 'tcp', host: 'edge.test', port: 1 };

describe('the watch on heartbeats', () => {
  it('says of a silence since when it is so', async () => {
    const target = watched();
    watch.beat(target, { status: 'ok' });
    clock.advance(30_000);
    const result = await watch.look(target);
    expect(result).toMatchObject({ outcome: 'fail', uncontested: true, durationMs: 20_000 });
    expect(probed.map((one) => one.result)).toMatchObject([{ outcome: 'pass', detail: 'heartbeat' }]);
  });

  it('counts what comes, and what comes later than it is due', () => {
    const target = watched({ grace: '2s' });
    clock.advance(60_000);
    watch.beat(target, { status: 'ok' });
    clock.advance(12_000);
    watch.beat(target, { status: 'fail' });
    clock.advance(12_001);
    watch.beat(target, { status: 'ok' });
    // What nobody has heard of before is not late.
    expect(beats).toEqual(['ok', 'fail', 'ok, late']);
  });

  it('has nothing to say while heartbeats come, and while none can be heard, which makes no target stale', async () => {
    const target = watched();
    clock.advance(29_999);
    expect(saysNothing(await watch.look(target))).toBe(true);
    listeningSinceMs = undefined;
    clock.advance(3_600_000);
    expect(saysNothing(await watch.look(target))).toBe(true);
    expect(target.heardMs).toBe(clock.monotonicMs());
    listeningSinceMs = clock.monotonicMs();
    clock.advance(29_999);
    expect(saysNothing(await watch.look(target))).toBe(true);
    clock.advance(1);
    expect(await watch.look(target)).toMatchObject({ outcome: 'fail' });
  });

  it('lets the active check look at a silent target, and says that only the heartbeat is lost where that passes', async () => {
    const target = watched({ active });
    clock.advance(30_000);
    expect(await watch.look(target)).toBe(passed);
    probing = () => Promise.resolve({ ...passed, outcome: 'fail', phase: 'connect' });
    expect(await watch.look(target)).toMatchObject({ outcome: 'fail' });
    probing = () => Promise.resolve({ ...passed, outcome: 'fail', origin: 'local' });
    expect(await watch.look(target)).toMatchObject({ origin: 'local' });
    expect(losses).toEqual([true]);
    watch.beat(target, { status: 'ok' });
    expect(losses).toEqual([true, false]);
  });

  it('takes a heartbeat that comes while the active check looks for the word of the target', async () => {
    const target = watched({ active });
    clock.advance(30_000);
    const found = Promise.withResolvers<ProbeResult>();
    probing = () => found.promise;
    const looking = watch.look(target);
    watch.beat(target, { status: 'ok' });
    found.resolve({ ...passed, outcome: 'fail', phase: 'connect' });
    expect(saysNothing(await looking)).toBe(true);
    expect(losses).toEqual([false]);
  });

  it('goes on with what it has heard when a declaration changes, and forgets it with the target', async () => {
    const first = watched();
    clock.advance(20_000);
    const second = watched({ grace: '1s' });
    clock.advance(11_000);
    expect(await watch.look(second)).toMatchObject({ outcome: 'fail' });
    watch.given(first);
    expect(saysNothing(await watch.look(second))).toBe(true);
  });
});
