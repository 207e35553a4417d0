import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { LeaseTerm } from './lease-term.js';

const term = () => {
  const clock = new FakeClock();
  const stopping = new AbortController();
  return { clock, stopping, lease: new LeaseTerm(clock, stopping.signal) };
};

describe('LeaseTerm', () => {
  it('holds for as long as it was renewed', () => {
    const { clock, lease } = term();
    expect(lease.holds()).toBe(false);
    lease.renewed(clock.monotonicMs() + 3_000);
    clock.advance(2_999);
    expect(lease.holds()).toBe(true);
    clock.advance(1);
    expect(lease.holds()).toBe(false);
    lease.renewed(clock.monotonicMs() + 3_000);
    expect(lease.holds()).toBe(true);
  });

  it('leaves attempts alone that are under way when it runs out: broken off they would come again', () => {
    const { clock, lease } = term();
    lease.renewed(clock.monotonicMs() + 3_000);
    const { signal } = lease;
    clock.advance(10_000);
    expect([lease.holds(), signal.aborted]).toEqual([false, false]);
    lease.renewed(clock.monotonicMs() + 3_000);
    expect([lease.signal === signal, signal.aborted]).toEqual([true, false]);
  });

  it('breaks attempts off when it is lost, and holds never again', () => {
    const { clock, lease } = term();
    lease.renewed(clock.monotonicMs() + 3_000);
    lease.end();
    lease.renewed(clock.monotonicMs() + 3_000);
    expect([lease.holds(), lease.signal.aborted]).toEqual([false, true]);
  });

  it('breaks attempts off when the process stops', () => {
    const { stopping, lease } = term();
    stopping.abort();
    expect(lease.signal.aborted).toBe(true);
  });
});
