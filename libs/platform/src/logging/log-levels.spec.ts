import { describe, expect, it } from 'vitest';
import { parseLogLevels } from './log-levels.js';

describe('parseLogLevels', () => {
  it.each([
    ['info', 'info', {}],
    ['warn, relay = debug', 'warn', { relay: 'debug' }],
    ['relay=debug,send=trace', 'info', { relay: 'debug', send: 'trace' }],
    ['relay=debug,error', 'error', { relay: 'debug' }],
  ])('%j', (spec, base, modules) => {
    const levels = parseLogLevels(spec);
    expect(levels?.base).toBe(base);
    expect(Object.fromEntries(levels?.modules ?? [])).toEqual(modules);
  });

  it.each(['', 'loud', 'info,warn', 'relay=', '=debug', 'relay=debug=info', 'info,'])('refuses %j', (spec) => {
    expect(parseLogLevels(spec)).toBeUndefined();
  });
});
