import { describe, expect, it } from 'vitest';
import { isJsonMediaType, JSON_MAX_DEPTH, parseJsonBody, parseMediaType } from './json-body.js';

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe('parseJsonBody', () => {
  it('takes any JSON value, also behind a byte order mark', () => {
    expect(parse('{"a":[1,null,"ä"]}')).toEqual({ a: [1, null, 'ä'] });
    expect(parse('\uFEFF1')).toBe(1);
  });

  it('takes nesting up to the limit and none beyond', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parse(nested(JSON_MAX_DEPTH))).not.toThrow();
    expect(() => parse(nested(JSON_MAX_DEPTH + 1))).toThrow('nested more than 100 levels');
  });

  it('counts arrays and objects, wherever they stand, and no brackets in text', () => {
    const chain = (depth: number): string => (depth === 0 ? '[]' : `{"a":1,"b":[{},${chain(depth - 1)}]}`);
    expect(() => parse(chain(49))).not.toThrow();
    expect(() => parse(chain(50))).toThrow('nested more than 100 levels');
    expect(() => parse(JSON.stringify({ a: '[{"\\'.repeat(200), b: [1] }))).not.toThrow();
    expect(() => parse(`[${'[],'.repeat(200)}{}]`)).not.toThrow();
  });
});

describe('parseMediaType', () => {
  it.each([
    ['application/json', 'application/json', undefined],
    ['Application/JSON; Charset=UTF-8', 'application/json', 'utf-8'],
    ['application/cloudevents+json;x=y;charset="utf-8"', 'application/cloudevents+json', 'utf-8'],
  ])('%s', (text, essence, charset) => {
    expect(parseMediaType(text)).toEqual({ essence, charset });
  });

  it.each([undefined, '', 'json', 'a b/c', '/', 'application/'])('cannot read %j', (text) => {
    expect(parseMediaType(text)).toBeUndefined();
  });
});

describe('isJsonMediaType', () => {
  it.each([
    ['application/json', true],
    ['application/vnd.acme+json', true],
    ['application/jsonp', false],
    ['text/plain', false],
  ])('%s: %s', (text, json) => {
    expect(isJsonMediaType(parseMediaType(text))).toBe(json);
  });
});
