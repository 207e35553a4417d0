import { isTocsinError, type TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { locatedError, parseYaml, placeText } from './yaml-source.js';

function place(text: string, ...path: (string | number)[]): string {
  const { line, column } = parseYaml(text, 'f.yaml').locate(path);
  return `${line}:${column}`;
}

function refusal(text: string): TocsinError {
  try {
    parseYaml(text, 'f.yaml');
  } catch (error) {
    if (isTocsinError(error, 'TCN_MALFORMED')) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('where something stands in a YAML text', () => {
  const TEXT = `version: 1
targets:
  - name: a
    check:
      expect:
        status: [2xx, 404]
  - name: b
    labels: { site: fra, '007': bond }
matrix:
  - [1, 2]
  - [3, 4]
`;

  it.each([
    [['version'], '1:1'],
    [['targets'], '2:1'],
    [['targets', 0], '3:5'],
    [['targets', 0, 'check', 'expect', 'status'], '6:9'],
    [['targets', 0, 'check', 'expect', 'status', 1], '6:23'],
    [['targets', 1, 'name'], '7:5'],
    [['targets', 1, 'labels', 'site'], '8:15'],
    [['targets', 1, 'labels', '007'], '8:26'],
  ] as const)('%j is at %s', (path, expected) => {
    expect(place(TEXT, ...path)).toBe(expected);
  });

  it('is found in lists of lists, also where the same index comes twice', () => {
    expect(place(TEXT, 'matrix', 1, 1)).toBe('11:9');
    expect(place(TEXT, 'matrix', 0, 0)).toBe('10:6');
  });

  it('is the nearest thing above for what is not there', () => {
    expect(place(TEXT, 'targets', 1, 'check', 'url')).toBe('7:5');
    expect(place(TEXT, 'targets', 9, 'name')).toBe('2:1');
    expect(place(TEXT, 'version', 'x')).toBe('1:1');
    expect(place('', 'version')).toBe('1:1');
  });

  it('is where it was written for what an alias stands for', () => {
    const text = `check: &http
  url: u
  headers: [a, b]
targets:
  - check: *http
  - *http
`;
    expect(place(text, 'targets', 0, 'check')).toBe('5:5');
    expect(place(text, 'targets', 0, 'check', 'url')).toBe('2:3');
    expect(place(text, 'targets', 0, 'check', 'headers', 1)).toBe('3:16');
    expect(place(text, 'targets', 1)).toBe('6:5');
    expect(place(text, 'targets', 1, 'url')).toBe('2:3');
  });

  it('is where it was written for what a merge key brings in', () => {
    const text = `base: &base
  interval: 10s
other: &other { timeout: 1s }
one:
  <<: [*base, *other]
  url: u
`;
    expect(parseYaml(text, 'f.yaml').value).toMatchObject({ one: { interval: '10s', timeout: '1s', url: 'u' } });
    expect(place(text, 'one', 'interval')).toBe('2:3');
    expect(place(text, 'one', 'timeout')).toBe('3:17');
    expect(place(text, 'one', 'url')).toBe('6:3');
  });
});

describe('a YAML text that is refused', () => {
  it.each([
    ['a list without its end', 'a: [1,\n', /^f\.yaml, line 2, column 1: /],
    ['a key twice', 'a: 1\nb: 2\na: 3\n', /^f\.yaml, line 3, column 1: Map keys must be unique$/],
    ['two documents', 'a: 1\n---\nb: 2\n', /^f\.yaml, line 2, column 1: /],
    ['an alias without an anchor', 'a: *nobody\n', /^f\.yaml, line 1, column 4: .*nobody/],
    ['an alias inside what it stands for', 'a: &a\n  b: *a\n', /^f\.yaml, line 1, column 1: an alias stands inside/],
  ])('because of %s says where, in one line', (_what, text, expected) => {
    const { message } = refusal(text);
    expect(message).toMatch(expected);
    expect(message).not.toContain('\n');
  });

  it('because aliases of aliases would be more than fits into memory', () => {
    const levels = Array.from({ length: 9 }, (_, n) => {
      const below = n === 0 ? '"x"' : `*l${n - 1}`;
      return `l${n}: &l${n} [${Array.from({ length: 10 }, () => below).join(', ')}]`;
    });
    expect(refusal(levels.join('\n')).message).toContain('alias');
  });
});

it('takes one anchor that a whole fleet uses', () => {
  const uses = Array.from({ length: 5_000 }, () => '  - *check').join('\n');
  const { value } = parseYaml(`check: &check { type: http }\ntargets:\n${uses}\n`, 'f.yaml');
  expect((value as { targets: unknown[] }).targets).toHaveLength(5_000);
});

describe('an error about several places', () => {
  const fault = (line: number, pointer: string) => ({ pointer, detail: 'is wrong', place: { line, column: 2 } });

  it('names the first in the order of the file, and has all of them with their places', () => {
    const error = locatedError('f.yaml', [fault(9, '/b'), fault(3, '/a')]);
    expect(error.message).toBe('f.yaml, line 3, column 2: /a: is wrong (and 1 more)');
    expect(error.faults).toEqual([
      { pointer: '/a', detail: 'is wrong', at: 'line 3, column 2' },
      { pointer: '/b', detail: 'is wrong', at: 'line 9, column 2' },
    ]);
  });

  it('has no pointer where the whole is meant', () => {
    expect(locatedError('f.yaml', [fault(1, '')]).message).toBe('f.yaml, line 1, column 2: is wrong');
    expect(placeText({ line: 4, column: 7 })).toBe('line 4, column 7');
  });
});
