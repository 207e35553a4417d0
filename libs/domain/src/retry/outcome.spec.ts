import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttemptErrorClass, classifyOutcome, type Verdict } from './outcome.js';

const status = (code: number) => classifyOutcome({ kind: 'response', status: code });

describe('classifyOutcome', () => {
  it.each<[Verdict, number[]]>([
    ['success', [200, 201, 202, 204, 299]],
    ['misconfigured', [300, 301, 302, 303, 304, 307, 308, 399]],
    ['gone', [410]],
    ['dead', [413, 414, 415, 431]],
    ['auth', [401, 403]],
    ['retry-limited', [400, 402, 404, 405, 406, 409, 418, 422, 451, 499]],
    ['retry', [408, 425, 429, 500, 501, 502, 503, 504, 511, 599]],
  ])('says %s to %j', (verdict, codes) => {
    expect(codes.map(status)).toEqual(codes.map(() => verdict));
  });

  it.each<[AttemptErrorClass, Verdict]>([
    ['dns', 'retry'],
    ['refused', 'retry'],
    ['reset', 'retry'],
    ['timeout', 'retry'],
    ['tls', 'retry'],
    ['protocol', 'retry'],
    ['local', 'retry'],
    ['egress-blocked', 'blocked'],
    ['aborted', 'interrupted'],
  ])('maps the error %s to %s', (errorClass, verdict) => {
    expect(classifyOutcome({ kind: 'error', errorClass })).toBe(verdict);
  });

  it('goes by what a service says in other ways than its status', () => {
    const rejected = (reason: 'passing' | 'request' | 'auth') =>
      classifyOutcome({ kind: 'response', status: 200, rejected: reason });
    expect([rejected('passing'), rejected('request'), rejected('auth')]).toEqual(['retry', 'retry-limited', 'auth']);
  });

  it('calls nothing but 2xx a success, whatever number the receiver sends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), (code) => {
        expect(status(code) === 'success').toBe(code >= 200 && code <= 299);
      }),
    );
  });
});
