import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { UsageError } from './exit.js';
import { failureLines } from './failure.js';
import { cell } from './output.js';
import { createPaint } from './paint.js';
import { ageText, labelsText, tableLines } from './table.js';

describe('a table', () => {
  it('has columns as wide as their widest cell, and no space at the ends of lines', () => {
    expect(
      tableLines(
        ['NAME', 'STATE', 'LABELS'],
        [
          ['a', 'up', 'site=fra'],
          ['edge-fra-17', 'down', ''],
        ],
      ),
    ).toEqual(['NAME          STATE   LABELS', 'a             up      site=fra', 'edge-fra-17   down']);
  });

  it('is as wide with colours as without', () => {
    const { red } = createPaint({ isTTY: true, env: {} });
    const [, line = ''] = tableLines(['A', 'B'], [[red('x'), 'y']]);
    expect(line).toBe(`${red('x')}   y`);
  });

  it('counts characters, not their halves', () => {
    expect(tableLines(['A', 'B'], [['🚨', 'x']])).toEqual(['A   B', '🚨   x']);
  });
});

describe('a cell', () => {
  it('is one line whatever came over the wire', () => {
    expect(cell('a\nb\u001b[2Jc')).toBe('a b [2Jc');
  });

  it('is a dash where there is nothing', () => {
    expect([cell(undefined), cell(null), cell(''), cell(0), cell({ a: 1 })]).toEqual(['-', '-', '-', '0', '{"a":1}']);
  });
});

it('labels stand in the order of their names', () => {
  expect(labelsText({ site: 'fra', role: 'edge' })).toBe('role=edge,site=fra');
  expect(labelsText(undefined)).toBe('');
});

describe('an age', () => {
  const now = Date.parse('2030-01-10T00:00:00Z');

  it.each([
    ['2030-01-09T23:59:55Z', '5s'],
    ['2030-01-09T23:58:55Z', '1m5s'],
    ['2030-01-09T23:00:00Z', '1h'],
    ['2030-01-07T20:30:00Z', '2d3h'],
    ['2030-01-10T00:00:00Z', '0s'],
    ['2030-01-11T00:00:00Z', '0s'],
    ['rubbish', '-'],
    [undefined, '-'],
  ])('of %s is %s', (time, expected) => {
    expect(ageText(time, now)).toBe(expected);
  });
});

describe('colour', () => {
  it.each([
    ['on a terminal', true, {}, true],
    ['through a pipe', false, {}, false],
    ['with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR, which counts as none', true, { NO_COLOR: '' }, true],
    ['with FORCE_COLOR through a pipe', false, { FORCE_COLOR: '1' }, true],
    ['with FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
    ['with NO_COLOR and FORCE_COLOR', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    ['on a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_what, isTTY, env, coloured) => {
    expect(createPaint({ isTTY, env }).red('x') !== 'x').toBe(coloured);
  });
});

describe('a failure', () => {
  it('is one line with the code', () => {
    expect(failureLines('tocsin get', new TocsinError('TCN_NOT_FOUND', 'there is no "x"'))).toEqual([
      'tocsin get: TCN_NOT_FOUND: there is no "x"',
    ]);
  });

  it('says one fault once', () => {
    const error = new TocsinError('TCN_INVALID', 'f, line 1: /a: is wrong', {
      faults: [{ pointer: '/a', detail: 'is wrong' }],
    });
    expect(failureLines('tocsin apply', error)).toEqual(['tocsin apply: TCN_INVALID: f, line 1: /a: is wrong']);
  });

  it('lists several faults, each with its pointer and place', () => {
    const faults = [
      { pointer: '/a', detail: 'is wrong', at: 'line 3, column 1' },
      { pointer: '', detail: 'is all wrong' },
    ];
    expect(failureLines('tocsin apply', new TocsinError('TCN_INVALID', 'not valid', { faults }))).toEqual([
      'tocsin apply: TCN_INVALID: not valid',
      '  line 3, column 1, /a: is wrong',
      '  is all wrong',
    ]);
  });

  it('of the command line has no code', () => {
    expect(failureLines('tocsin get', new UsageError('what?'))).toEqual(['tocsin get: what?']);
  });

  it('that is a defect shows where', () => {
    expect(failureLines('tocsin get', new Error('oops'))[0]).toMatch(/^tocsin get: Error: oops\n\s+at /);
  });
});
