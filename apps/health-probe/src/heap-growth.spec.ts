import { describe, expect, it } from 'vitest';
import { keepHeapSmall } from './heap-growth.js';

describe('the growth of the heap', () => {
  function set(...execArgv: string[]): string[] {
    const flags: string[] = [];
    keepHeapSmall(execArgv, (flag) => flags.push(flag));
    return flags;
  }

  it('is half of what lives', () => {
    expect(set('--max-old-space-size=400')).toEqual(['--heap-growing-percent=50']);
  });

  it.each(['--heap-growing-percent=200', '--heap_growing_percent=200'])('is what %s says', (argument) => {
    expect(set(argument)).toEqual([]);
  });
});
