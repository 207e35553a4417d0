import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePatch } from './merge-patch.js';
import { splitName } from './name.js';
import { pageOf, pageStatement, parseListQuery } from './page.js';

describe('JSON Merge Patch', () => {
  // The cases of RFC 7396, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j gives %j', (target, patch, merged) => expect(mergePatch(target, patch)).toEqual(merged));

  it('does not reach prototypes', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
  });
});

describe('the query of a list', () => {
  it('leads through everything, page by page', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 30 }), (limit, count) => {
        const all = Array.from({ length: count }, (_, n) => ({ name: `n${String(n).padStart(2, '0')}` }));
        const seen: string[] = [];
        let cursor: string | undefined;
        for (;;) {
          const request = parseListQuery({ limit: String(limit), ...(cursor === undefined ? {} : { cursor }) });
          const rows = all.filter(({ name }) => name > request.after).slice(0, limit + 1);
          const page = pageOf(rows, request.limit);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items.map(({ name }) => name));
          if (page.next === null) break;
          cursor = page.next;
        }
        expect(seen).toEqual(all.map(({ name }) => name));
      }),
    );
  });

  it('reads a selector of labels', () => {
    expect(parseListQuery({ labels: 'site=fra, role=edge=1' }).labels).toEqual({ site: 'fra', role: 'edge=1' });
    expect(() => parseListQuery({ labels: '' })).toThrow('/labels');
    expect(() => parseListQuery({ labels: '=x' })).toThrow('/labels');
    expect(() => parseListQuery({ cursor: Buffer.from('A b').toString('base64url') })).toThrow('/cursor');
  });
});

describe('the name in a body', () => {
  it('may be repeated or left out, and must be the one of the path', () => {
    expect(splitName('a', { name: 'a', kind: 'node' })).toEqual({ kind: 'node' });
    expect(splitName('a', { kind: 'node' })).toEqual({ kind: 'node' });
    expect(splitName('a', null)).toBeNull();
    expect(() => splitName('a', { name: 'b' })).toThrow('/name');
  });
});

describe('the statement of a page', () => {
  const request = { after: 'a', limit: 100, labels: {} };

  it('asks for labels only where some are asked for', () => {
    expect(pageStatement('target', request)).toEqual({
      sql: 'SELECT * FROM registry.target WHERE name > $1 ORDER BY name LIMIT $2',
      params: ['a', 101],
    });
    expect(pageStatement('subscription', { ...request, scope: { team: 'x' } })).toEqual({
      sql: 'SELECT * FROM registry.subscription WHERE name > $1 AND labels @> $3::jsonb ORDER BY name LIMIT $2',
      params: ['a', 101, '{"team":"x"}'],
    });
  });

  it('asks for those of the scope and those of the question, also where they contradict each other', () => {
    const { sql, params } = pageStatement('target', { ...request, labels: { team: 'y' }, scope: { team: 'x' } });
    expect(sql).toContain('labels @> $3::jsonb AND labels @> $4::jsonb');
    expect(params).toEqual(['a', 101, '{"team":"y"}', '{"team":"x"}']);
  });
});
