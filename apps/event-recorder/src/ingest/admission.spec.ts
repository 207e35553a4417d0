import { isTocsinError, type JsonValue, type TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { admit } from './admission.js';
import { MAX_DEPTH, MAX_EVENT_BYTES } from './event-limits.js';

const NOW = Date.UTC(2030, 0, 2, 3, 4, 5, 6);
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const VALID = { specversion: '1.0', id: 'a', source: 'https://ci.example.net', type: 'com.acme.deployed' };

function one(event: JsonValue, traceparent?: string) {
  return admit({ mode: 'structured', events: [event] }, { nowMs: NOW, traceparent }).events[0]!;
}

function refused(mode: 'structured' | 'batch', events: JsonValue[]): TocsinError {
  try {
    admit({ mode, events }, { nowMs: NOW });
  } catch (error) {
    if (isTocsinError(error)) return error;
    throw error;
  }
  throw new Error('was admitted');
}

function nested(levels: number): JsonValue {
  let value: JsonValue = 'core';
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('admission', () => {
  it('fills in subject = source and time = now, and remembers what was left open', () => {
    const { event, leftOpen } = one(VALID);
    expect(event).toMatchObject({ subject: VALID.source, time: '2030-01-02T03:04:05.006Z', extensions: {} });
    expect(leftOpen).toEqual({ time: true, traceparent: true });
  });

  it('keeps what was sent: extensions, schema, data of any shape; time in UTC with milliseconds', () => {
    const { event, leftOpen } = one({
      ...VALID,
      time: '2030-01-01T01:00:00+01:00',
      subject: 'svc/a',
      severity: 3,
      dataschema: 'urn:x',
      data: [1, { a: null }],
    });
    expect(event).toEqual({
      id: 'a',
      source: VALID.source,
      type: VALID.type,
      subject: 'svc/a',
      time: '2030-01-01T00:00:00.000Z',
      extensions: { severity: 3 },
      dataschema: 'urn:x',
      data: [1, { a: null }],
    });
    expect(leftOpen.time).toBe(false);
  });

  it('gives the event the trace context of the request unless it has its own or the header is nonsense', () => {
    expect(one(VALID, TRACEPARENT).event.extensions).toEqual({ traceparent: TRACEPARENT });
    expect(one(VALID, 'nonsense').event.extensions).toEqual({});
    expect(one(VALID, `ff${TRACEPARENT.slice(2)}`).event.extensions).toEqual({});
    const own = TRACEPARENT.replace('0af7', '1af7');
    const { event, leftOpen } = one({ ...VALID, traceparent: own }, TRACEPARENT);
    expect(event.extensions).toEqual({ traceparent: own });
    expect(leftOpen.traceparent).toBe(false);
  });

  it('points at every fault of a batch by its index', () => {
    const error = refused('batch', [VALID, { ...VALID, type: 'no spaces' }, 7, { ...VALID, position: 4 }]);
    expect(error.code).toBe('TCN_INVALID');
    expect(error.faults.map(({ pointer }) => pointer)).toEqual(['/1/type', '/2', '/3/position']);
  });

  it('refuses an empty batch and one of 1001', () => {
    expect(refused('batch', []).code).toBe('TCN_INVALID');
    expect(
      refused(
        'batch',
        Array.from({ length: 1001 }, () => VALID),
      ).code,
    ).toBe('TCN_INVALID');
  });

  it('refuses sources and types of Tocsin itself, and says which', () => {
    const source = refused('structured', [{ ...VALID, source: 'tocsin/health-probe' }]);
    expect([source.code, source.faults[0]?.pointer]).toEqual(['TCN_FORBIDDEN', '/source']);
    const type = refused('structured', [{ ...VALID, type: 'io.tocsin.subscription.created' }]);
    expect([type.code, type.faults[0]?.pointer]).toEqual(['TCN_FORBIDDEN', '/type']);
  });

  it('takes an event of exactly the size limit and refuses one byte more', () => {
    const frame = Buffer.byteLength(JSON.stringify({ ...VALID, data: '' }));
    expect(one({ ...VALID, data: 'x'.repeat(MAX_EVENT_BYTES - frame) }).event.data).toHaveLength(
      MAX_EVENT_BYTES - frame,
    );
    expect(refused('structured', [{ ...VALID, data: 'x'.repeat(MAX_EVENT_BYTES - frame + 1) }]).code).toBe(
      'TCN_TOO_LARGE',
    );
  });

  it('refuses a batch that no message could carry though each event is small enough', () => {
    const event = { ...VALID, data: 'x'.repeat(200 * 1024) };
    expect(refused('batch', [event, event, event, event, event]).code).toBe('TCN_TOO_LARGE');
  });

  it('refuses a document nested beyond the limit instead of overflowing the stack', () => {
    expect(one({ ...VALID, data: nested(MAX_DEPTH - 1) }).event.data).toBeDefined();
    expect(refused('structured', [{ ...VALID, data: nested(MAX_DEPTH) }]).code).toBe('TCN_INVALID');
    expect(refused('structured', [{ ...VALID, data: nested(100_000) }]).code).toBe('TCN_INVALID');
  });

  it('refuses NUL and halves of surrogate pairs, wherever they stand, and takes what only looks like them', () => {
    const error = refused('structured', [{ ...VALID, data: { a: ['ok', 'nul\u0000'], 'b/c': '\ud800' } }]);
    expect(error.faults.map(({ pointer }) => pointer)).toEqual(['/data/a/1', '/data/b~1c']);
    expect(refused('structured', [{ ...VALID, subject: 'a\u0000' }]).code).toBe('TCN_INVALID');
    expect(refused('structured', [{ ...VALID, data: { 'k\u0000': 1 } }]).code).toBe('TCN_INVALID');
    expect(one({ ...VALID, data: 'the text \\u0000 and 😀' }).event.data).toBe('the text \\u0000 and 😀');
  });

  it('refuses a time that leaves the years of four digits in UTC', () => {
    expect(refused('structured', [{ ...VALID, time: '9999-12-31T23:59:59-02:00' }]).faults[0]?.pointer).toBe('/time');
    expect(refused('structured', [{ ...VALID, time: '0000-06-01T00:00:00Z' }]).faults[0]?.pointer).toBe('/time');
  });

  it('validates the payload of a health event by its schema', () => {
    const error = refused('structured', [{ ...VALID, type: 'io.tocsin.node.offline', data: { target: 'a' } }]);
    expect(error.faults.map(({ pointer }) => pointer)).toContain('/data/kind');
    expect(refused('structured', [{ ...VALID, type: 'io.tocsin.node.offline' }]).faults[0]?.pointer).toBe('/data');
  });

  it('refuses a type under our name that the catalogue does not know', () => {
    const error = refused('structured', [{ ...VALID, type: 'io.tocsin.config.deplyed', data: {} }]);
    expect([error.code, error.faults[0]?.pointer]).toEqual(['TCN_INVALID', '/type']);
  });

  it('takes any object as the payload of other catalogue types, and nothing else', () => {
    expect(one({ ...VALID, type: 'io.tocsin.config.deployed', data: { any: 1 } }).event.data).toEqual({ any: 1 });
    expect(refused('structured', [{ ...VALID, type: 'io.tocsin.config.deployed', data: [1] }]).faults[0]?.pointer).toBe(
      '/data',
    );
  });
});
