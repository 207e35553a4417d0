import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepHeapSmall } from './heap-growth.js';

const MB = 1024 * 1024;

describe('the growth of the heap', () => {
  let flags: string[];
  let youngBytes: number;
  const keep = (...execArgv: string[]) =>
    keepHeapSmall(execArgv, { youngBytes: () => youngBytes, setFlag: (flag) => flags.push(flag) });

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    flags = [];
    youngBytes = 2 * MB;
  });
  afterEach(() => vi.useRealTimers());

  it('is half of what lives', () => {
    keep('--max-old-space-size=400');
    expect(flags).toContain('--heap-growing-percent=50');
  });

  it('is what the command line says, where it says something', () => {
    keep('--heap-growing-percent=200', '--max_semi_space_size=8');
    vi.advanceTimersByTime(60_000);
    expect(flags).toEqual([]);
  });

  it('ends for new objects at a size, and goes on when V8 has taken it back', () => {
    keep('--heap-growing-percent=200');
    expect(flags).toEqual(['--semi-space-growth-factor=2']);
    youngBytes = 32 * MB;
    vi.advanceTimersByTime(250);
    expect(flags.splice(0).at(-1)).toBe('--semi-space-growth-factor=1');
    vi.advanceTimersByTime(30_000);
    expect(flags).toEqual([]);
    youngBytes = 1 * MB;
    vi.advanceTimersByTime(10_000);
    expect(flags).toEqual(['--semi-space-growth-factor=2']);
  });
});
