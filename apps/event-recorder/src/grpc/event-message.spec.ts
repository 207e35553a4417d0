import type { RecordedEvent } from '@tocsin/domain';
import type { Event } from '@tocsin/grpc-contracts';
import { describe, expect, it } from 'vitest';
import { fromMessage, toMessage } from './event-message.js';

const RECORDED: RecordedEvent = {
  id: 'a',
  source: 'urn:s',
  type: 'com.acme.a',
  subject: 'svc/a',
  time: '1969-12-31T23:59:59.250Z',
  recordedAt: '2030-01-01T00:00:00.007Z',
  position: 7,
  version: 2,
  extensions: { severity: 3, traceparent: 'x', flag: false },
  data: { deep: [null, 1e-7, 'ü'] },
};

const EMPTY: Event = {
  id: 'a',
  source: 'urn:s',
  type: 'com.acme.a',
  subject: '',
  time: undefined,
  extensions: {},
  datacontenttype: '',
  dataschema: '',
  dataJson: '',
  position: 0,
  sequence: 0,
  recordedTime: undefined,
};

describe('events as gRPC messages', () => {
  it('keep everything there and back, also times before 1970 and payloads of any shape', () => {
    const message = toMessage(RECORDED);
    expect(message.time).toEqual({ seconds: -1, nanos: 250_000_000 });
    const incoming = fromMessage({ ...message, position: 0, sequence: 0 }, '/0');
    const { recordedAt: _at, position: _position, version: _version, extensions, ...own } = RECORDED;
    expect(incoming).toEqual({ specversion: '1.0', ...own, ...extensions });
  });

  it('take an empty field for one left out, and data that is JSON null for data', () => {
    expect(fromMessage(EMPTY, '/0')).toEqual({ specversion: '1.0', id: 'a', source: 'urn:s', type: 'com.acme.a' });
    expect(fromMessage({ ...EMPTY, dataJson: 'null' }, '/0')).toHaveProperty('data', null);
    expect(toMessage({ ...RECORDED, data: null }).dataJson).toBe('null');
  });

  it('name what is wrong and where', () => {
    expect(() => fromMessage({ ...EMPTY, dataJson: '{' }, '/3')).toThrow('/3/data_json must be JSON');
    const extensions = { source: { stringValue: 'tocsin/x' } };
    expect(() => fromMessage({ ...EMPTY, extensions }, '/3')).toThrow('/3/extensions/source');
  });

  it('pass on what only Tocsin assigns, so that admission refuses it', () => {
    expect(fromMessage({ ...EMPTY, position: 5 }, '/0')).toHaveProperty('position', 5);
  });
});
