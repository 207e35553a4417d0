import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.js';
import type { JsonValue } from './json.js';

/** The same value with the members of every object in reverse order. */
function reordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reordered);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reordered(member)]),
  );
}

describe('canonicalJson', () => {
  it('spells the example of RFC 8785 § 3.2.2 and § 3.2.3', () => {
    expect(
      canonicalJson({
        numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
        string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
        literals: [null, true, false],
      }),
    ).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts members by UTF-16 code units, as RFC 8785 § 3.2.3 shows', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const value = Object.fromEntries(names.map((name) => [name, 0]));
    expect(Object.keys(JSON.parse(canonicalJson(value)) as object).slice(1)).toEqual([
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\ud83d\ude00',
      '\ufb33',
    ]);
    expect(canonicalJson(value).indexOf('"\\r"')).toBe(1);
  });

  it('sorts objects of few members and of many alike', () => {
    for (const many of [2, 31, 32, 33, 200]) {
      const names = Array.from({ length: many }, (_, index) => `m${(index * 7919) % 1_009}`);
      const value = Object.fromEntries(names.map((name) => [name, name]));
      const spelled = names.toSorted().map((name) => `"${name}":"${name}"`);
      expect(canonicalJson(value)).toBe(`{${spelled.join(',')}}`);
    }
  });

  it('tells objects apart that begin alike, however many kinds there are', () => {
    for (let round = 0; round < 2; round += 1) {
      for (let kind = 0; kind < 2_000; kind += 1) {
        const value = { [`k${kind % 700}`]: 0, ...(kind % 3 === 0 ? { b: 1, a: 2 } : { [`z${kind}`]: 1, a: 2 }) };
        const members = Object.entries(value).map(([name, member]) => `"${name}":${member}`);
        expect(canonicalJson(value)).toBe(`{${members.toSorted().join(',')}}`);
      }
    }
  });

  it('gives a spelling that means the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as JsonValue;
        expect(JSON.parse(canonicalJson(json))).toEqual(json);
      }),
    );
  });

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as JsonValue;
        expect(canonicalJson(reordered(json))).toBe(canonicalJson(json));
      }),
    );
  });

  it('leaves undefined members out and tells null from absent', () => {
    expect(canonicalJson({ a: undefined, b: null })).toBe('{"b":null}');
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [[undefined]]])('refuses %j, which has no spelling', (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});
