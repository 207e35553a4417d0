import { describe, expect, it } from 'vitest';
import { Newest } from './newest.js';

describe('Newest', () => {
  it('keeps one entry a subject, whatever came, oldest newest first', () => {
    const newest = new Newest(0);
    for (const [position, subject] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'a'],
      [5, 'a'],
    ] as const)
      newest.note({ position, subject });
    expect(newest.inOrder()).toEqual([
      { subject: 'b', first: 2, newest: 2, events: 1 },
      { subject: 'a', first: 1, newest: 5, events: 3 },
    ]);
  });

  it('takes in what was met elsewhere', () => {
    const [one, two] = [new Newest(0), new Newest(10)];
    one.note({ position: 1, subject: 'a' });
    two.note({ position: 11, subject: 'a' });
    two.note({ position: 12, subject: 'c' });
    one.merge(two);
    expect(one.inOrder()).toEqual([
      { subject: 'a', first: 1, newest: 11, events: 2 },
      { subject: 'c', first: 12, newest: 12, events: 1 },
    ]);
  });
});
