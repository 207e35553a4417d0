import { isTocsinError } from '@tocsin/domain';
import { parseJsonBody } from '@tocsin/platform';
import { describe, expect, it } from 'vitest';
import { decodeHttp } from './http-cloudevents.js';

const EVENT = { specversion: '1.0', id: '1', source: 's', type: 't' };

function decode(headers: Record<string, string | string[]>, body?: unknown) {
  const distinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()]));
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return decodeHttp({
    headers: Object.fromEntries(Object.entries(distinct).map(([name, values]) => [name, values.join(', ')])),
    headersDistinct: distinct,
    hasBody: text !== undefined,
    json: () => parseJsonBody(Buffer.from(text ?? '')),
  });
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isTocsinError(error)) return error.code;
    throw error;
  }
  return 'none';
}

const BINARY = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 's', 'ce-type': 't' };

describe('content modes of CloudEvents over HTTP', () => {
  it('structured: by its own content type and as plain JSON', () => {
    for (const type of [
      'application/cloudevents+json',
      'application/cloudevents+json; charset=UTF-8',
      'application/json',
    ]) {
      expect(decode({ 'content-type': type }, EVENT)).toEqual({ mode: 'structured', events: [EVENT] });
    }
  });

  it('batch: by its own content type and as a plain JSON array', () => {
    for (const type of ['application/cloudevents-batch+json', 'application/json']) {
      expect(decode({ 'content-type': type }, [EVENT, EVENT])).toEqual({ mode: 'batch', events: [EVENT, EVENT] });
    }
    expect(codeOf(() => decode({ 'content-type': 'application/cloudevents-batch+json' }, EVENT))).toBe('TCN_INVALID');
  });

  it('binary: attributes from ce- headers, data from the body, also where the body is an array', () => {
    const headers = { ...BINARY, 'ce-severity': '3', 'content-type': 'application/json' };
    expect(decode(headers, [1])).toEqual({
      mode: 'binary',
      events: [{ ...EVENT, severity: '3', datacontenttype: 'application/json', data: [1] }],
    });
  });

  it('binary without a body has no data', () => {
    expect(decode(BINARY).events).toEqual([EVENT]);
  });

  it('undoes percent-encoding and quoting of header values', () => {
    const { events } = decode({
      ...BINARY,
      'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80',
      'ce-label': '"a \\"b\\" %25"',
    });
    expect(events).toEqual([{ ...EVENT, subject: 'Euro € 😀', label: 'a "b" %' }]);
  });

  it('refuses broken percent-encoding, repeated headers, and what does not belong into headers', () => {
    expect(codeOf(() => decode({ ...BINARY, 'ce-subject': '%zz' }))).toBe('TCN_INVALID');
    expect(codeOf(() => decode({ ...BINARY, 'ce-id': ['1', '2'] }))).toBe('TCN_INVALID');
    expect(codeOf(() => decode({ ...BINARY, 'ce-data': '1' }))).toBe('TCN_INVALID');
  });

  it('refuses content it cannot record as JSON', () => {
    expect(codeOf(() => decode({ ...BINARY, 'content-type': 'text/plain' }, 'hello'))).toBe(
      'TCN_UNSUPPORTED_MEDIA_TYPE',
    );
    expect(codeOf(() => decode({ 'content-type': 'application/cloudevents+avro' }, 'x'))).toBe(
      'TCN_UNSUPPORTED_MEDIA_TYPE',
    );
    expect(codeOf(() => decode({ 'content-type': 'text/plain' }, 'x'))).toBe('TCN_UNSUPPORTED_MEDIA_TYPE');
    expect(codeOf(() => decode({}, EVENT))).toBe('TCN_UNSUPPORTED_MEDIA_TYPE');
  });

  it('names a body that is not JSON or not there', () => {
    expect(codeOf(() => decode({ 'content-type': 'application/json' }, '{"a":'))).toBe('TCN_MALFORMED');
    expect(codeOf(() => decode({ 'content-type': 'application/json' }))).toBe('TCN_MALFORMED');
  });
});
