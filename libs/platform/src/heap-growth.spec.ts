import { expect, it } from 'vitest';
import { letHeapGrow } from './heap-growth.js';

const flags = (...execArgv: string[]): string[] => {
  const set: string[] = [];
  letHeapGrow(100, execArgv, (flag) => set.push(flag));
  return set;
};

it('is told to V8 in percent', () => {
  expect(flags('--conditions=@tocsin/source')).toEqual(['--heap-growing-percent=100']);
});

it.each(['--heap-growing-percent=20', '--heap_growing_percent=20'])('is left to who says %s', (argument) =>
  expect(flags(argument)).toEqual([]),
);
