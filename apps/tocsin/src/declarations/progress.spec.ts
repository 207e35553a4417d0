import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Progress } from './progress.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function telling(isTTY: boolean) {
  const said: string[] = [];
  return { said, progress: new Progress({ isTTY, write: (text) => said.push(text) }) };
}

describe('what is under way', () => {
  it('is said on a terminal in one line, which goes when it is done', async () => {
    const { said, progress } = telling(true);
    const done = Promise.withResolvers<number>();
    const working = progress.during('planning f', () => done.promise);
    await vi.advanceTimersByTimeAsync(1_000);
    done.resolve(7);
    expect(await working).toBe(7);
    expect(said.at(-2)).toBe('\r\u001b[2Kplanning f … 1 s');
    expect(said.at(-1)).toBe('\r\u001b[2K');
  });

  it('is said elsewhere a line at a time, and not at all where it is soon done', async () => {
    const { said, progress } = telling(false);
    const done = Promise.withResolvers<void>();
    const working = progress.during('applying f', () => done.promise);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(6_000);
    done.reject(new Error('no'));
    await expect(working).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(said).toEqual(['applying f … 5 s\n', 'applying f … 10 s\n']);
  });
});
