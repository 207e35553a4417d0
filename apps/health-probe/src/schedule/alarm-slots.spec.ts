import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AlarmSlots } from './alarm-slots.js';

describe('alarms', () => {
  let slots: AlarmSlots;
  let rung: string[];
  const ring = (name: string) => () => void rung.push(`${name}@${performance.now()}`);

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    slots = new AlarmSlots({ now: () => 0, monotonicMs: () => performance.now() });
    rung = [];
  });
  afterEach(() => vi.useRealTimers());

  it('that are due within the same tenth of a second go off together, by one timer', () => {
    slots.set(1_970, ring('a'));
    slots.set(2_049, ring('b'));
    slots.set(2_051, ring('c'));
    expect(vi.getTimerCount()).toBe(2);
    vi.advanceTimersByTime(3_000);
    expect(rung).toEqual(['a@2000', 'b@2000', 'c@2100']);
  });

  it('of a suspicion keep to the hundredth', () => {
    const { dueMs } = slots.set(204, ring('a'));
    expect(dueMs).toBe(200);
    vi.advanceTimersByTime(199);
    expect(rung).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(rung).toEqual(['a@200']);
  });

  it('that are cancelled stay silent, and the last of a slot takes the timer with it', () => {
    const [one, other] = [slots.set(1_000, ring('a')), slots.set(1_000, ring('b'))];
    one.cancel();
    one.cancel();
    vi.advanceTimersByTime(500);
    expect(vi.getTimerCount()).toBe(1);
    other.cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(rung).toEqual([]);
  });

  it('may be cancelled, and set anew, by one that goes off with them', () => {
    const first = slots.set(1_000, () => {
      other.cancel();
      slots.set(1_000, ring('again'));
    });
    const other = slots.set(1_000, ring('other'));
    vi.advanceTimersByTime(3_000);
    first.cancel();
    expect(rung).toEqual(['again@2000']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
