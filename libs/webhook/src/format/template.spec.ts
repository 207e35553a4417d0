import type { JsonValue, RecordedEvent } from '@tocsin/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTemplate, renderTemplate } from './template.js';

const event: RecordedEvent = {
  id: 'evt_1',
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  subject: 'node/edge-fra-17',
  time: '2026-01-02T03:04:05.678Z',
  recordedAt: '2026-01-02T03:04:10.000Z',
  position: 42,
  version: 3,
  extensions: { episode: 'ep_1' },
  data: {
    reason: 'said "no"\n',
    labels: { site: 'fra', 'a-b': 'c' },
    cpu: 90,
    load: 1.5,
    list: [1, 'two', null],
    ok: false,
  },
};
const fill = (template: JsonValue) => renderTemplate(template, event);

describe('renderTemplate', () => {
  it.each<[JsonValue, JsonValue]>([
    ['plain', 'plain'],
    ['${event.type}', 'io.tocsin.node.offline'],
    ['${event.position}', 42],
    ['at ${event.position}, load ${data.load}', 'at 42, load 1.5'],
    ['${event.position + 1}', 43],
    ['${data.cpu > 80.5}', true],
    ['${data.cpu > 80 ? "high" : "fine"}', 'high'],
    ['${data.labels}', { site: 'fra', 'a-b': 'c' }],
    ['labels ${data.labels}', 'labels {"site":"fra","a-b":"c"}'],
    ['${data.labels["a-b"]}', 'c'],
    ['${labels.site}', 'fra'],
    ['${data.list.exists(x, x == "two")}', true],
    ['${data.list}', [1, 'two', null]],
    ['${event.subject.substring(5).upperAscii()}', 'EDGE-FRA-17'],
    ['${has(data.region) ? data.region : "?"}', '?'],
    ['${{"a": {"b": "}"}}["a"]["b"]}', '}'],
    ['$${event.type} ${"$" + "{"}', '${event.type} ${'],
    ['unfinished ${event.type', 'unfinished ${event.type'],
    [{ a: ['${data.ok}', 7, null, { b: '${event.episode}' }] }, { a: [false, 7, null, { b: 'ep_1' }] }],
  ])('%j', (template, expected) => {
    expect(fill(template)).toEqual(expected);
  });

  it('leaves a hole where the event has no such field', () => {
    expect(fill({ a: '${data.missing.deeper}', b: 'x${data.missing}y' })).toEqual({ a: null, b: 'xy' });
  });

  it('is JSON whatever the event says', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (data, text) => {
        const filled = renderTemplate(
          { data: '${data}', text: 'a ${data} b', literal: text },
          { ...event, data: data as JsonValue },
        );
        expect(JSON.parse(JSON.stringify(filled))).toBeTypeOf('object');
        expect(typeof (filled as { text: unknown }).text).toBe('string');
      }),
    );
  });

  it('gives up on a result that is out of proportion', () => {
    const huge = { ...event, data: { text: 'x'.repeat(60_000) } };
    expect(renderTemplate('${data.text + data.text}', huge)).toBeNull();
    expect(renderTemplate('${data.text}', huge)).toHaveLength(60_000);
  });
});

describe('checkTemplate', () => {
  it('takes what can be used', () => {
    expect(() => checkTemplate({ a: ['${event.type}', 1, true, null] }, '/format/template')).not.toThrow();
  });

  it.each([
    ['${1 +}', /line 1, column 3: .*expecting/],
    ['${evnt.type}', /there is no "evnt"/],
    ['${}', /./],
    ['${data.list.map(x, data.list.map(y, x))}', /not available/],
    ['${data.list.filter(x, x > 1)}', /not available/],
    [`\${"${'x'.repeat(600)}"}`, /512 characters/],
  ])('names the place of %s', (text, message) => {
    expect(() => checkTemplate({ a: [0, text] }, '/destination/format/template')).toThrow(
      expect.objectContaining({
        code: 'TCN_INVALID',
        message: expect.stringMatching(message),
        faults: [expect.objectContaining({ pointer: '/destination/format/template/a/1' })],
      }),
    );
  });

  it('counts the expressions', () => {
    expect(() => checkTemplate({ a: '${1}'.repeat(65) }, '')).toThrow(/64 expressions/);
  });

  it('does not know functions that multiply text', () => {
    expect(fill('${"aaaa".replace("a", data.reason)}')).toBeNull();
  });
});
