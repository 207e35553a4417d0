import { webhookId } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { prepareAppend } from './prepared-append.js';

const event = {
  id: 'evt_1',
  source: 'tocsin/test',
  type: 'io.tocsin.node.offline',
  subject: 'node/a',
  time: '2026-01-01T00:00:00.000Z',
};

function faultOf(over: object, expectVersions?: Record<string, number>): unknown {
  try {
    prepareAppend({
      events: [event, { ...event, id: 'evt_2', ...over }],
      ...(expectVersions === undefined ? {} : { expect: expectVersions }),
    });
    return undefined;
  } catch (error) {
    const { code, faults } = error as { code: string; faults: { pointer: string }[] };
    return [code, faults[0]?.pointer];
  }
}

describe('prepareAppend', () => {
  it('spells the same instant and the same data the same way', () => {
    const hash = (over: object): string | undefined =>
      prepareAppend({ events: [{ ...event, ...over }] }).events[0]?.contentHash;
    const original = hash({ data: { a: 1, b: [2, { c: 3, d: 4 }] } });
    expect(hash({ data: { b: [2, { d: 4, c: 3 }], a: 1 }, time: '2026-01-01T02:00:00+02:00', extensions: {} })).toBe(
      original,
    );
    expect(hash({ data: { a: 1, b: [{ c: 3, d: 4 }, 2] } })).not.toBe(original);
    expect(hash({ data: null })).not.toBe(hash({}));
  });

  it('keeps one of an event that stands twice in a request, and knows which was first', () => {
    const other = { ...event, id: 'evt_2' };
    const { events, asked } = prepareAppend({ events: [event, other, event] });
    expect(events.map(({ id }) => id)).toEqual(['evt_1', 'evt_2']);
    expect(asked).toEqual([{ index: 0, first: true }, { index: 1, first: true }, { index: 0, first: false }]); // prettier-ignore
  });

  it('keeps the derived part of a webhook key, and none where the key is the id', () => {
    const theirs = { ...event, source: 'https://shop.example', id: 'order-1' };
    expect(prepareAppend({ events: [theirs] }).events[0]?.webhookKey).toBe(webhookId(theirs).slice('evt_'.length));
    expect(prepareAppend({ events: [event] }).events[0]?.webhookKey).toBeNull();
  });

  it('refuses an event that is larger as JSON than allowed, counting bytes', () => {
    const bytes = (data: string): number => Buffer.byteLength(JSON.stringify({ ...event, data }));
    const refused = (data: string, most: number): unknown => {
      try {
        prepareAppend({ events: [event, { ...event, id: 'evt_2', data }] }, most);
        return undefined;
      } catch (error) {
        const { code, faults } = error as { code: string; faults: { pointer: string }[] };
        return [code, faults[0]?.pointer];
      }
    };
    for (const data of ['x'.repeat(5_000), 'ü'.repeat(5_000), '\u0001"\\'.repeat(5_000)]) {
      expect(refused(data, bytes(data) - 1)).toEqual(['TCN_TOO_LARGE', '/events/1']);
      expect(refused(data, bytes(data))).toBeUndefined();
    }
  });

  it.each([
    [{ id: '' }, '/events/1/id'],
    [{ id: 'a\u0000' }, '/events/1/id'],
    [{ source: '\udc00' }, '/events/1/source'],
    [{ subject: 'ü'.repeat(1301) }, '/events/1/subject'],
    [{ id: 'x'.repeat(600), source: 'y'.repeat(2001) }, '/events/1/source'],
    [{ type: '' }, '/events/1/type'],
    [{ time: 'now' }, '/events/1/time'],
    [{ time: '+012026-01-01T00:00:00Z' }, '/events/1/time'],
    [{ time: '0000-01-01T00:00:00Z' }, '/events/1/time'],
    [{ data: Number.POSITIVE_INFINITY }, '/events/1'],
    [{ data: { at: new Date(0) } }, '/events/1'],
    [{ dataschema: '' }, '/events/1/dataschema'],
  ])('refuses %j, naming the place', (over, pointer) => {
    expect(faultOf(over)).toEqual(['TCN_INVALID', pointer]);
  });

  it.each([[-1], [0.5], [Number.NaN]])('refuses %d as an expected version, naming the place', (version) => {
    expect(faultOf({}, { 'a/b~c': version })).toEqual(['TCN_INVALID', '/expect/a~1b~0c']);
  });

  it('refuses one key with two contents in a request', () => {
    expect(faultOf({ id: 'evt_1', data: 'other' })).toEqual(['TCN_KEY_REUSED', undefined]);
  });
});
