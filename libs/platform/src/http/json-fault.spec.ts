import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonFault } from './json-fault.js';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('findJsonFault', () => {
  it.each([
    ['', 1, 1, 'expected a value, found the end'],
    ['{"a": }', 1, 7, 'expected a value, found "}"'],
    ['{"a": 1,}', 1, 9, 'expected a name in double quotes, found "}"'],
    ['[1, 2', 1, 6, 'expected "," or "]", found the end'],
    ['[1,]', 1, 4, 'expected a value, found "]"'],
    ['[', 1, 2, 'expected a value or "]", found the end'],
    ['{', 1, 2, 'expected a name in double quotes or "}", found the end'],
    ["{'a': 1}", 1, 2, 'expected a name in double quotes or "}", found "\'"'],
    ['{"a" 1}', 1, 6, 'expected ":", found "1"'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'expected "," or "}", found "\\""'],
    ['"abc', 1, 5, 'expected the closing quote, found the end'],
    ['"a\nb"', 1, 3, 'expected an escaped control character, found "\\n"'],
    ['"\\x"', 1, 2, 'expected an escape that JSON knows, found "\\\\"'],
    ['1 2', 1, 3, 'expected the end, found "2"'],
    ['01', 1, 2, 'expected the end, found "1"'],
    ['NaN', 1, 1, 'expected a value, found "N"'],
    ['[1, tru]', 1, 5, 'expected a value, found "t"'],
    ['[🦊]', 1, 2, 'expected a value or "]", found "🦊"'],
  ])('%j', (text, line, column, detail) => {
    expect(findJsonFault(text)).toMatchObject({ line, column, detail });
  });

  it('finds none in what JSON.parse takes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        expect(findJsonFault(JSON.stringify(value, undefined, indent))).toBeUndefined();
      }),
    );
  });

  it('agrees with JSON.parse about any text', () => {
    const damaged = fc
      .tuple(
        fc.jsonValue(),
        fc.nat(),
        fc.constantFrom('', ',', '"', '}', ']', '{', '[', ':', '\\', '1', 'e', '-', ' ', '\u0001'),
      )
      .map(([value, where, insertion]) => {
        const text = JSON.stringify(value);
        const at = where % (text.length + 1);
        return text.slice(0, at) + insertion + text.slice(at + (insertion === '' ? 1 : 0));
      });
    const soup = fc.string({
      unit: fc.constantFrom(...'{}[]",:\\/0123456789.eE+-truefalsn \n\tu\u0000é'.split('')),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.oneof(damaged, soup), (text) => {
        expect(findJsonFault(text) === undefined).toBe(parses(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('needs no call stack for deep nesting', () => {
    expect(findJsonFault('['.repeat(500_000))).toMatchObject({ offset: 500_000 });
  });
});
