import { describe, expect, it } from 'vitest';
import { brokenText, requireWholeText } from './whole-text.js';

describe('text that is none', () => {
  it('is refused where it stands, in values and in names', () => {
    expect(() => requireWholeText({ a: ['x', { 'b/c': 'x\u0000' }], d: '\ud800' }, 'body')).toThrow(
      expect.objectContaining({
        code: 'TCN_INVALID',
        faults: [expect.objectContaining({ pointer: '/a/1/b~1c' }), expect.objectContaining({ pointer: '/d' })],
      }),
    );
    expect(() => requireWholeText({ a: { '\udc00': 1 } }, 'body')).toThrow('/a:');
    expect(() => requireWholeText({ a: '😀 ä', b: null, c: 1 }, 'body')).not.toThrow();
  });

  it('is looked for only where the JSON could hold it, and counted up to a bound', () => {
    expect(brokenText('\\u0000 spelt out', JSON.stringify('\\u0000 spelt out'))).toEqual([]);
    expect(brokenText(['\ud800'], JSON.stringify(['\ud800']))).toMatchObject([{ pointer: '/0' }]);
    expect(brokenText(Array.from({ length: 100 }, () => '\u0000'))).toHaveLength(20);
  });
});
