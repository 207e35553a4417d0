import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { RecentEvents, type SizedEvent } from './recent-events.js';

const sized = (position: number, bytes = 100): SizedEvent => ({
  event: { position, id: `e${position}` } as RecordedEvent,
  bytes,
});
const run = (from: number, to: number, bytes = 100): SizedEvent[] =>
  Array.from({ length: to - from + 1 }, (_, index) => sized(from + index, bytes));
const positions = (events: RecordedEvent[] | undefined): number[] | undefined =>
  events?.map(({ position }) => position);

describe('RecentEvents', () => {
  it('gives what follows a position, in order and within the limit', () => {
    const recent = new RecentEvents();
    recent.add(run(5, 7));
    recent.add(run(8, 9));
    expect(positions(recent.after(4, 10))).toEqual([5, 6, 7, 8, 9]);
    expect(positions(recent.after(6, 2))).toEqual([7, 8]);
  });

  it('says nothing of what it does not hold: what is older, and what is not there yet', () => {
    const recent = new RecentEvents();
    expect(recent.after(0, 10)).toBeUndefined();
    recent.add(run(5, 7));
    expect(recent.after(3, 10)).toBeUndefined();
    expect(recent.after(7, 10)).toBeUndefined();
  });

  it('forgets everything before a gap', () => {
    const recent = new RecentEvents();
    recent.add(run(1, 3));
    recent.add(run(6, 7));
    expect(recent.after(0, 10)).toBeUndefined();
    expect(recent.after(3, 10)).toBeUndefined();
    expect(positions(recent.after(5, 10))).toEqual([6, 7]);
  });

  it('lets the oldest go beyond its limits, of events and of bytes', () => {
    const few = new RecentEvents({ maxEvents: 3 });
    few.add(run(1, 5));
    expect(few.after(1, 10)).toBeUndefined();
    expect(positions(few.after(2, 10))).toEqual([3, 4, 5]);
    const small = new RecentEvents({ maxBytes: 250 });
    small.add(run(1, 5));
    expect(positions(small.after(3, 10))).toEqual([4, 5]);
  });

  it('holds none that alone is larger than its limit', () => {
    const recent = new RecentEvents({ maxBytes: 250 });
    recent.add([...run(1, 2), sized(3, 300)]);
    expect(recent.after(2, 10)).toBeUndefined();
    recent.add(run(4, 5));
    expect(positions(recent.after(3, 10))).toEqual([4, 5]);
  });

  it('releases what nobody will ask for, and makes room by it', () => {
    const recent = new RecentEvents({ maxEvents: 3 });
    recent.add(run(1, 3));
    recent.release(2);
    expect(recent.after(1, 10)).toBeUndefined();
    recent.add(run(4, 5));
    expect(positions(recent.after(2, 10))).toEqual([3, 4, 5]);
    recent.release(9);
    recent.add(run(6, 6));
    expect(positions(recent.after(5, 10))).toEqual([6]);
  });
});
