import { describe, expect, it } from 'vitest';
import { rotated } from './rotate-secret.js';

const HOUR = 3_600_000;

describe('rotating a signing secret', () => {
  it('keeps the old one for the overlap, newest first', () => {
    expect(rotated([{ secret: 'a' }], 'b', 1_000, HOUR)).toEqual([
      { secret: 'b' },
      { secret: 'a', notAfter: 1_000 + HOUR },
    ]);
  });

  it('never prolongs one that ends earlier, and drops those that have ended', () => {
    const secrets = [{ secret: 'c' }, { secret: 'b', notAfter: 2_000 }, { secret: 'a', notAfter: 999 }];
    expect(rotated(secrets, 'd', 1_000, HOUR)).toEqual([
      { secret: 'd' },
      { secret: 'c', notAfter: 1_000 + HOUR },
      { secret: 'b', notAfter: 2_000 },
    ]);
  });

  it('refuses a fourth, unless all others are to end', () => {
    const secrets = [{ secret: 'c' }, { secret: 'b', notAfter: 9_000 }, { secret: 'a', notAfter: 5_000 }];
    expect(() => rotated(secrets, 'd', 1_000, HOUR)).toThrow('1970-01-01T00:00:05.000Z');
    expect(rotated(secrets, 'd', 1_000, 0)).toEqual([{ secret: 'd' }]);
  });
});
