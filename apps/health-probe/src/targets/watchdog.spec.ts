import { targetSpecSchema } from '@tocsin/contracts';
import { createLogger } from '@tocsin/platform';
import { EventLoopGuard } from '@tocsin/probes';
import { FakeClock } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Target } from './target.js';
import { Watchdog } from './watchdog.js';

/** Three times interval and time-out of what is watched here. */
const PATIENCE_MS = 36_000;

let clock: FakeClock;
let guard: EventLoopGuard;
let target: Target;
let silent: string[];
let watchdog: Watchdog;

beforeEach(() => {
  vi.useFakeTimers();
  clock = new FakeClock();
  guard = new EventLoopGuard(clock);
  guard.start();
  const check = { type: 'tcp', host: '127.0.0.1', port: 1, interval: '10s', timeout: '2s' };
  const spec = targetSpecSchema.parse({ kind: 'node', check });
  target = new Target({ name: 'edge-1', revision: 1, spec }, clock.monotonicMs());
  silent = [];
  watchdog = new Watchdog({
    clock,
    logger: createLogger({ name: 'spec', level: 'silent' }),
    stalledMs: () => guard.stalledMs(),
    targets: () => [target],
    onSilent: ({ name, health }) => {
      silent.push(name);
      target.health = { ...health, phase: 'stale' };
    },
  });
});
afterEach(() => {
  guard.stop();
  vi.useRealTimers();
});

/** Time in which this process does its work: the guard looks at the clock as often as it means to. */
function work(forMs: number): void {
  for (let leftMs = forMs; leftMs > 0; leftMs -= 50) {
    clock.advance(Math.min(50, leftMs));
    vi.advanceTimersByTime(50);
  }
}

/** Time in which it does nothing at all; its timers fire when that is over. */
function stall(forMs: number): void {
  clock.advance(forMs);
}

describe('the watchdog', () => {
  it('notices a target of which nothing was heard for three intervals, once', () => {
    work(PATIENCE_MS);
    watchdog.look();
    expect(silent).toEqual([]);
    work(1);
    watchdog.look();
    watchdog.look();
    expect(silent).toEqual(['edge-1']);
  });

  it('takes no target for silent because it was blocked itself, at whatever moment it looks', () => {
    work(10_000);
    watchdog.look();
    stall(60_000);
    // Timers come before sockets: what the target has said meanwhile is read after this look.
    watchdog.look();
    work(50);
    watchdog.look();
    expect(silent).toEqual([]);
  });

  it('takes none for silent because of many short stalls either', () => {
    for (let count = 0; count < 40; count += 1) {
      stall(1_000);
      work(500);
      watchdog.look();
    }
    expect(silent).toEqual([]);
  });

  it('counts the silence on both sides of a stall, and no stall from before it', () => {
    stall(30_000);
    work(5_000);
    watchdog.look();
    target.heardMs = clock.monotonicMs();
    work(20_000);
    stall(10_000);
    watchdog.look();
    expect(silent).toEqual([]);
    work(15_000);
    watchdog.look();
    expect(silent).toEqual([]);
    work(1_200);
    watchdog.look();
    expect(silent).toEqual(['edge-1']);
  });
});
