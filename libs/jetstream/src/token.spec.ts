import { describe, expect, it } from 'vitest';
import { escapeToken, unescapeToken } from './token.js';

describe('unescapeToken', () => {
  it('reverses escapeToken with either escape', () => {
    for (const text of ['', 'plain', 'a.b', '=', '%', 'grün 🌲', '=2E']) {
      expect(unescapeToken(escapeToken(text, '=', /^[a-z]+$/), '=')).toBe(text);
      expect(unescapeToken(escapeToken(text, '%', /^[a-z]+$/), '%')).toBe(text);
    }
  });

  it('does not take what escapeToken never makes', () => {
    expect(unescapeToken('a=G1', '=')).toBeUndefined();
    expect(unescapeToken('a=2', '=')).toBeUndefined();
    expect(unescapeToken('a=2e', '=')).toBeUndefined();
  });
});
