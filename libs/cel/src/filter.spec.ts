import type { MatchClause, RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { askFilter, checkFilter } from './filter.js';

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
    to: 'down',
    reason: 'connection refused',
    labels: { site: 'fra', role: 'edge', 'a-b': 'c' },
    votes: [
      { observer: 'obs-1', fail: true },
      { observer: 'obs-2', fail: false },
    ],
    cpu: 91,
    load: 1.5,
    none: null,
  },
};
const clauseOf = (filter?: string): MatchClause => ({ types: ['*'], labels: {}, filter });
const ask = (filter: string) => askFilter(clauseOf(filter), event);

describe('a filter', () => {
  it('that there is none of lets everything through', () => {
    expect(askFilter(clauseOf(), event)).toBeUndefined();
  });

  it.each([
    'event.type == "io.tocsin.node.offline" && event.source.startsWith("tocsin/")',
    'event.position > 41 && event.sequence == 3 && event["position"] < 43',
    'event.episode == "ep_1" && has(event.episode) && !has(event.traceparent)',
    'timestamp(event.time).getHours() == 3',
    'timestamp(event.recordedtime) - timestamp(event.time) > duration("4s")',
    'labels.site == "fra" && labels["a-b"] == "c" && "role" in labels',
    'data.to == "down" && data.cpu > 90.5 && data.load < 2',
    'data.reason.matches("(?i)REFUSED$")',
    'data.votes.exists(v, v.fail) && !data.votes.all(v, v.fail) && data.votes.exists_one(v, v.observer == "obs-2")',
    'data.votes.size() == 2 && size(labels) == 3',
    'labels.all(name, name.size() < 10)',
    'event.subject in ["node/edge-fra-17", "node/edge-fra-18"]',
    'event.subject.substring(5).upperAscii() == "EDGE-FRA-17"',
    'has(data.region) ? data.region == "eu" : true',
    'data.none == null',
    'data.missing == 1 || true',
    '// what the night shift wants\ntrue',
  ])('is true: %s', (filter) => {
    expect(() => checkFilter(filter)).not.toThrow();
    expect(ask(filter)).toBeUndefined();
  });

  it.each(['false', 'labels.site == "ams"', 'event.position > 42', 'data.votes.exists(v, v.observer == "obs-3")'])(
    'is not true: %s',
    (filter) => {
      expect(ask(filter)).toEqual({ clause: 'filter' });
    },
  );

  it.each([
    ['data.missing == 1', /missing/],
    ['data.missing.deeper.still', /missing/],
    ['event.tpye == "x"', /tpye/],
    ['data.cpu', /gave no bool but a bigint/],
    ['data.votes', /gave no bool but a value of several parts/],
    ['data.none', /gave no bool but null/],
    ['data.reason < 1', /overload/],
    ['data.cpu / 0 == 1', /./],
    ['9223372036854775807 + data.cpu > 0', /overflow/],
    ['timestamp(data.reason) > timestamp(event.time)', /timestamp/],
    ['data.cpu.exists(x, x)', /./],
  ])('fails on the event, which is no match: %s', (filter, why) => {
    expect(() => checkFilter(filter)).not.toThrow();
    expect(ask(filter)).toEqual({ clause: 'filter', failed: expect.stringMatching(why) });
  });

  it('that no version of these rules takes matches nothing and says why', () => {
    expect(ask('evnt.type == "x"')).toEqual({ clause: 'filter', failed: expect.stringMatching(/no "evnt"/) });
  });
});

describe('what is checked when a filter is declared', () => {
  it.each([
    ['', 1, 1, /expecting/],
    ['event.type ==\n  "x" &&& true', 2, 7, /found & but expecting/],
    ['"open', 1, 1, /expecting/],
    ['evnt.type == "x"', 1, 1, /no "evnt"; an expression sees event, data, labels/],
    ['true &&\n  evnt.type == "x"', 2, 3, /no "evnt"/],
    ['__proto__', 1, 1, /no "__proto__"/],
    ['event.type', 1, 1, /gives a string; a filter must give a bool/],
    ['data.cpu + 1', 1, 1, /gives a int/],
    ['[true]', 1, 1, /gives a list/],
    ['event.position == "5"', 1, 16, /compares int with string, which are never equal/],
    ['event.type > 5', 1, 12, /> does not take \(string, int\)/],
    ['event.type && true', 1, 6, /&& wants a bool, this is a string/],
    ['event.type ? true : false', 1, 6, /\?: wants a bool/],
    ['event.type.startWith("io")', 1, 11, /no function "startWith"; there are .*startsWith/],
    ['event.type.startsWith(5)', 1, 11, /startsWith\(\) does not take string\.\(int\)/],
    ['size(1) == 1', 1, 1, /size\(\) does not take \(int\)/],
    ['event.type.nope == 1', 1, 11, /"nope" asked of a string/],
    ['event.type[0] == "i"', 1, 11, /index asked of a string/],
    ['data.list.map(x, x).size() > 1', 1, 10, /map and filter are not available/],
    ['data.list.filter(x, x > 1).size() > 1', 1, 10, /map and filter are not available/],
    ['event.type.all(x, true)', 1, 11, /loops over a string/],
    ['data.a.all(x, x.all(y, y.all(z, z)))', 1, 25, /nested more than 2 deep/],
    ['data.a.all(data, data)', 1, 7, /"data" means something already/],
    ['data.text.matches("[a-")', 1, 19, /missing closing/],
    ['data.text.matches("(?=x)")', 1, 19, /Perl/],
    ['data.text.matches(data.pattern)', 1, 23, /pattern written out/],
    ['data.text.matches("((a{20}){20}){2}")', 1, 19, /more than 200 states/],
    ['data.text.matches("a{999}")', 1, 19, /more than 200 states/],
    [`data.text.matches("${'x'.repeat(257)}")`, 1, 19, /257 characters, 256 are allowed/],
    ['google.protobuf.Int32Value{value: 1} == 1', 1, 1, /messages are not available/],
    ['"a".replace("a", "b") == "b"', 1, 4, /no function "replace"/],
    ['@range([1], 1)', 1, 1, /expecting/],
    ['('.repeat(33), 1, 33, /brackets are nested more than 32 deep/],
    [`${'['.repeat(20)}${'{1: '.repeat(20)}`, 1, 69, /brackets are nested/],
    [`true${' && true'.repeat(200)}`, 1, undefined, /more than 300 operations/],
    [`1${' + 1'.repeat(70)} == 71`, 1, undefined, /nested more than 64 levels/],
    [`true || "${'x'.repeat(2_100)}" == "x"`, 1, 1, /2117 characters, 2048 are allowed/],
  ] as const)('%j', (filter, line, column, detail) => {
    const check = () => checkFilter(filter, '/subscriptions/3/filter');
    const place = `line ${line}, column ${column ?? '\\d+'}: `;
    expect(check).toThrow(
      expect.objectContaining({
        code: 'TCN_INVALID',
        message: expect.stringMatching(detail),
        faults: [{ pointer: '/subscriptions/3/filter', detail: expect.stringMatching(new RegExp(`^${place}`)) }],
      }),
    );
  });

  it.each(['data.cpu + 1 > 3', 'data.ok', 'dyn(event.type) == 5', 'event.type == null', 'event.position == 5.0'])(
    'leaves to the event what only it can show: %s',
    (filter) => {
      expect(() => checkFilter(filter)).not.toThrow();
    },
  );
});
