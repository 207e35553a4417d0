import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WorkSlices } from './work-slices.js';

/** Works without waiting, in a chain of microtasks as handlers do. */
async function work(ms: number): Promise<void> {
  for (let step = 0; step < 4; step += 1) {
    const endMs = performance.now() + ms / 4;
    while (performance.now() < endMs);
    await undefined;
  }
}

/** Longest time between two turns of the event loop until `work` is done, milliseconds. */
async function longestTurnMs(done: Promise<unknown>): Promise<number> {
  let longest = 0;
  let running = true;
  void done.finally(() => (running = false));
  for (let lastMs = performance.now(); running;) {
    await nextTurn();
    longest = Math.max(longest, performance.now() - lastMs);
    lastMs = performance.now();
  }
  return longest;
}

describe('WorkSlices', () => {
  it('lets the event loop turn between slices of work, which is done in order', async () => {
    const slices = new WorkSlices();
    const order: number[] = [];
    const all = Array.from({ length: 100 }, async (_, index) => {
      await slices.next();
      order.push(index);
      await work(2);
    });
    expect(await longestTurnMs(Promise.all(all))).toBeLessThan(100);
    expect(order).toEqual(order.map((_, index) => index));
    expect(order).toHaveLength(100);
  });

  it('does not keep back what arrives alone', async () => {
    const slices = new WorkSlices();
    expect(slices.next()).toBeUndefined();
    await nextTurn();
    expect(slices.next()).toBeUndefined();
  });

  it('keeps back what finds the slice used up, until the next turn, and nobody overtakes those who wait', async () => {
    let nowMs = 0;
    const slices = new WorkSlices(() => nowMs);
    const begun: string[] = [];
    const begin = async (name: string, ms: number): Promise<void> => {
      await slices.next();
      begun.push(name);
      nowMs += ms;
    };
    void begin('at once', 10);
    await Promise.resolve();
    expect(begun).toEqual(['at once']);
    void begin('first', 4);
    void begin('second', 4);
    void begin('long', 30);
    void begin('last', 1);
    await Promise.resolve();
    expect(begun).toEqual(['at once']);
    await nextTurn();
    expect(begun).toEqual(['at once', 'first', 'second', 'long']);
    await nextTurn();
    expect(begun).toEqual(['at once', 'first', 'second', 'long', 'last']);
  });
});
