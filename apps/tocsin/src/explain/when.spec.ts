import { describe, expect, it } from 'vitest';
import { timeOf } from './when.js';

const NOW = new Date(2030, 0, 31, 3, 30).getTime();
const local = (...parts: [number, number, number, number, number, number?]) => new Date(...parts).toISOString();

describe('timeOf', () => {
  it.each([
    ['3:12', local(2030, 0, 31, 3, 12)],
    ['03:12:05', local(2030, 0, 31, 3, 12, 5)],
    ['3:31', local(2030, 0, 30, 3, 31)],
    ['10m', local(2030, 0, 31, 3, 20)],
    ['2030-01-31T03:12:00Z', '2030-01-31T03:12:00Z'],
    ['2030-01-31T03:12:00+01:00', '2030-01-31T03:12:00+01:00'],
    ['2030-01-31T03:12', local(2030, 0, 31, 3, 12)],
  ])('takes %s', (text, expected) => {
    expect(timeOf(text, NOW)).toBe(expected);
  });

  it.each(['', 'yesterday', '25:00', '3:60', '2030-13-01T00:00:00Z', '12'])('refuses %j', (text) => {
    expect(() => timeOf(text, NOW)).toThrow(/--at must be a time/);
  });
});
