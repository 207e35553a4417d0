import { describe, expect, it } from 'vitest';
import { parseRetryAfterMs } from './retry-after.js';

const nowMs = Date.UTC(1994, 10, 6, 8, 49, 0);

describe('parseRetryAfterMs', () => {
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['1.5', 1_500],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
    ['Sun Nov  6 08:49:37 1994', 37_000],
    ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
  ])('reads %j as %i ms', (text, ms) => {
    expect(parseRetryAfterMs(text, nowMs)).toBe(ms);
  });

  it.each(['', 'soon', '-5', '1e9', '99999999999', '2024-01-01', 'Sun, never', '0x10', undefined])(
    'ignores %j',
    (text) => {
      expect(parseRetryAfterMs(text, nowMs)).toBeUndefined();
    },
  );
});
