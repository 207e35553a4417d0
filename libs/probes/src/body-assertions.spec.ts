import { httpCheckSchema } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { bodyFault } from './body-assertions.js';

function fault(expected: Record<string, unknown>, body: unknown): string | undefined {
  const check = httpCheckSchema.parse({ type: 'http', url: 'http://edge.test/', expect: expected });
  return bodyFault(check.expect, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

const health = { status: 'ok', queue: { depth: 12 }, checks: [{ state: 'up' }, { state: 'up' }], note: null };

describe('what is expected of a body', () => {
  it('is a text it contains', () => {
    expect(fault({ body: 'ok' }, health)).toBeUndefined();
    expect(fault({ body: 'green' }, health)).toBe('does not contain "green"');
  });

  it('is a pattern that matches somewhere', () => {
    expect(fault({ regex: '"status":"(ok|green)"' }, health)).toBeUndefined();
    expect(fault({ regex: '(?i)STATUS":"OK' }, health)).toBeUndefined();
    expect(fault({ regex: '^ok$' }, health)).toBe('does not match "^ok$"');
  });

  it.each([
    [{ path: '$.status', equals: 'ok' }, undefined],
    [{ path: '$.status', equals: 'green' }, 'has $.status: "ok", expected "green"'],
    [{ path: '$.status', notEquals: 'ok' }, 'has $.status: "ok", expected anything but "ok"'],
    [{ path: '$.status', in: ['ok', 'green'] }, undefined],
    [{ path: '$.status', in: ['green', 1] }, 'has $.status: "ok", expected one of "green", 1'],
    [{ path: '$.queue.depth', below: 100, above: 0 }, undefined],
    [{ path: '$.queue.depth', below: 12 }, 'has $.queue.depth: 12, expected a number below 12'],
    [{ path: '$.queue.depth', above: 12 }, 'has $.queue.depth: 12, expected a number above 12'],
    [{ path: '$.status', above: 0 }, 'has $.status: "ok", expected a number above 0'],
    [{ path: '$.note', equals: null }, undefined],
    [{ path: '$.note', exists: true }, undefined],
    [{ path: '$.nothing', exists: false }, undefined],
    [{ path: '$.nothing', exists: true }, 'has no $.nothing'],
    [{ path: '$.nothing', notEquals: 'x' }, 'has no $.nothing'],
    [{ path: '$.status', exists: false }, 'has $.status: "ok"'],
    [{ path: '$.checks[*].state', equals: 'up' }, undefined],
    [{ path: "$['checks'][-1]['state']", equals: 'down' }, `has $['checks'][-1]['state']: "up", expected "down"`],
  ])('is a value: %j', (assertion, expected) => {
    expect(fault({ json: [assertion] }, health)).toBe(expected);
  });

  it('holds for each value a path leads to, and for each assertion', () => {
    const body = { checks: [{ state: 'up' }, { state: 'down' }] };
    expect(fault({ json: [{ path: '$.checks[*].state', equals: 'up' }] }, body)).toBe(
      'has $.checks[*].state: "down", expected "up"',
    );
    const both = [
      { path: '$.status', equals: 'ok' },
      { path: '$.queue.depth', below: 1 },
    ];
    expect(fault({ json: both }, health)).toBe('has $.queue.depth: 12, expected a number below 1');
  });

  it('is JSON where JSON is to be looked into', () => {
    expect(fault({ json: [{ path: '$.a', exists: true }] }, '<html>')).toBe('is not JSON, or longer than 64 KiB');
  });

  it('shows no more than the beginning of a long value', () => {
    const said = fault({ json: [{ path: '$.a', equals: 1 }] }, { a: 'x'.repeat(60_000) });
    expect(said?.length).toBeLessThan(200);
  });

  it.each(['(a*)*b', '(a?){50}a{50}b', '(x+x+)+y', '(.*)(.*)(.*)(.*)[^a]b'])(
    'takes time in proportion to the body with %s, which hangs others',
    (regex) => {
      const startedMs = performance.now();
      fault({ regex }, `b${'a'.repeat(64 * 1024)}`);
      expect(performance.now() - startedMs).toBeLessThan(2_000);
    },
  );
});

describe('an expectation that cannot be met', () => {
  it.each([
    [{ regex: 'a(' }, 'expect.regex', 'missing closing )'],
    [{ regex: '(?=a)b' }, 'expect.regex', 'error parsing regexp'],
    [{ regex: '(a)\\1' }, 'expect.regex', 'invalid escape sequence'],
    [{ json: [{ path: 'status', equals: 1 }] }, 'expect.json.0.path', 'must be a JSON path'],
    [{ json: [{ path: '$..status', equals: 1 }] }, 'expect.json.0.path', 'must not hold ".."'],
    [{ json: [{ path: '$.a[?@.b == 1]', equals: 1 }] }, 'expect.json.0.path', 'must not hold a filter'],
    [{ json: [{ path: '$.a[0,0]', equals: 1 }] }, 'expect.json.0.path', 'several selectors'],
    [{ json: [{ path: '$.a' }] }, 'expect.json.0', 'must have one of equals'],
    [{ json: [{ path: '$.a', exists: false, equals: 1 }] }, 'expect.json.0.exists', 'must be alone'],
    [{ json: [] }, 'expect.json', 'Too small'],
  ])('is refused when it is declared, with where and why: %j', (expected, where, why) => {
    const { error } = httpCheckSchema.safeParse({ type: 'http', url: 'http://edge.test/', expect: expected });
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([where]);
    expect(error?.issues[0]?.message).toContain(why);
  });
});
