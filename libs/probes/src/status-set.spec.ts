import { describe, expect, it } from 'vitest';
import { statusMatches } from './status-set.js';

describe('a set of statuses', () => {
  it.each([
    [['2xx'], 204, true],
    [['2xx'], 302, false],
    [['200'], 200, true],
    [['200'], 201, false],
    [['200-204'], 204, true],
    [['200-204'], 205, false],
    [['2xx', '401'], 401, true],
  ] as const)('%j and %d: %s', (set, status, expected) => {
    expect(statusMatches(set, status)).toBe(expected);
  });
});
