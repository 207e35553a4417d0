import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchKey } from './key-watch.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the watch over a key', () => {
  it('ends a call within two seconds of the moment at which its key stops being good', async () => {
    let good = true;
    const signal = watchKey({ stillAllowed: async () => good })(new AbortController().signal);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(signal.aborted).toBe(false);
    good = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(signal.aborted).toBe(true);
  });

  it('asks nobody after the call has gone', async () => {
    let asked = 0;
    const gone = new AbortController();
    const stillAllowed = async () => {
      asked += 1;
      return true;
    };
    const signal = watchKey({ stillAllowed })(gone.signal);
    await vi.advanceTimersByTimeAsync(1_600);
    expect(asked).toBe(3);
    gone.abort();
    expect(signal.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([asked, vi.getTimerCount()]).toEqual([3, 0]);
  });

  it('does not begin for a call that has gone already', () => {
    watchKey({ stillAllowed: async () => true })(AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });
});
