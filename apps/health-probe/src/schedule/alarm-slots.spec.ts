import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AlarmSlots, type Slot } from './alarm-slots.js';

describe('alarms', () => {
  class Ringer {
    dueMs = 0;
    slot: Slot<this> | undefined;

    constructor(
      readonly name: string,
      readonly then: () => void = () => undefined,
    ) {}
  }

  let slots: AlarmSlots<Ringer>;
  let rung: string[];
  function set(delayMs: number, name: string, then?: () => void): Ringer {
    const ringer = new Ringer(name, then);
    slots.set(ringer, delayMs);
    return ringer;
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    rung = [];
    slots = new AlarmSlots({ now: () => 0, monotonicMs: () => performance.now() }, ({ name, then }) => {
      rung.push(`${name}@${performance.now()}`);
      then();
    });
  });
  afterEach(() => vi.useRealTimers());

  it('that are due within the same tenth of a second go off together, by one timer', () => {
    set(1_970, 'a');
    set(2_049, 'b');
    set(2_051, 'c');
    expect(vi.getTimerCount()).toBe(2);
    vi.advanceTimersByTime(3_000);
    expect(rung).toEqual(['a@2000', 'b@2000', 'c@2100']);
  });

  it('of a suspicion keep to the hundredth', () => {
    expect(set(204, 'a').dueMs).toBe(200);
    vi.advanceTimersByTime(199);
    expect(rung).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(rung).toEqual(['a@200']);
  });

  it('that are cancelled stay silent, and the last of a slot takes the timer with it', () => {
    const [one, other] = [set(1_000, 'a'), set(1_000, 'b')];
    slots.cancel(one);
    slots.cancel(one);
    vi.advanceTimersByTime(500);
    expect(vi.getTimerCount()).toBe(1);
    slots.cancel(other);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(rung).toEqual([]);
  });

  it('go off once, at the last moment they were set for', () => {
    const one = set(1_000, 'a');
    set(1_000, 'b');
    slots.set(one, 2_000);
    slots.set(one, 1_000);
    slots.set(one, 1_000);
    vi.advanceTimersByTime(3_000);
    expect(rung).toEqual(['a@1000', 'b@1000']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('may be cancelled, and set anew, by one that goes off with them', () => {
    const first = set(1_000, 'first', () => {
      slots.cancel(other);
      set(1_000, 'again');
    });
    const other = set(1_000, 'other');
    vi.advanceTimersByTime(3_000);
    slots.cancel(first);
    expect(rung).toEqual(['first@1000', 'again@2000']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
