import { expect, it } from 'vitest';
import { withoutPretenuring } from './pretenuring.js';

const flags = (...execArgv: string[]): string[] => {
  const set: string[] = [];
  withoutPretenuring(execArgv, (flag) => set.push(flag));
  return set;
};

it('is switched off', () => {
  expect(flags('--conditions=@tocsin/source')).toEqual(['--no-allocation-site-pretenuring']);
});

it.each(['--allocation-site-pretenuring', '--no-allocation-site-pretenuring', '--noallocation_site_pretenuring'])(
  'is left to who says %s',
  (argument) => expect(flags(argument)).toEqual([]),
);
