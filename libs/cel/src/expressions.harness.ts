import type { JsonValue, RecordedEvent } from '@tocsin/domain';
import fc from 'fast-check';

/** An event with this payload. */
export function eventWith(data: JsonValue): RecordedEvent {
  return {
    id: 'evt_1',
    source: 'https://producer.example.net/',
    type: 'com.acme.order.placed',
    subject: 'order/1',
    time: '2026-01-02T03:04:05.678Z',
    recordedAt: '2026-01-02T03:04:10.000Z',
    position: 42,
    version: 3,
    extensions: { episode: 'ep_1' },
    data,
  };
}

const random = (seed: number) => () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
const coin = random(1);
const noise = Array.from({ length: 1_024 }, () => (coin() < 0.5 ? 'a' : 'b')).join('');

/** Payloads that make the most of what an event may be: long texts, long lists, deep and wide objects. */
export const HEAVY: Readonly<Record<string, JsonValue>> = {
  text: 'x'.repeat(250_000),
  noise,
  digits: '9'.repeat(200_000),
  list: Array.from({ length: 1_000 }, (_, index) => index),
  long: Array.from({ length: 50_000 }, (_, index) => index),
  texts: Array.from({ length: 1_000 }, (_, index) => `${noise.slice(0, 60)}${index}`),
  lists: Array.from({ length: 1_000 }, () => Array.from({ length: 40 }, (_, index) => index)),
  wide: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index])),
  deep: Array.from({ length: 90 }).reduce<JsonValue>((inner) => ({ a: inner, b: inner === 1 ? [] : 2 }), 1),
  labels: Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`l${index}`, 'v'.repeat(255)])),
};

/** Expressions made to cost as much as they can. */
export const COSTLY: readonly string[] = [
  'data.lists.all(x, data.lists.all(y, x == y))',
  'data.list.all(x, data.list.all(y, x + y >= 0))',
  'data.list.all(x, data.list.all(y, x.missing || y.missing))',
  'data.list.exists(x, data.list.exists(y, x.a.b.c.d == y.a.b.c.d))',
  'data.list.exists_one(x, data.list.exists_one(y, x == y && y == x))',
  'data.list.all(x, data == event)',
  'data.list.all(x, data.text + data.text != data.text)',
  'data.list.all(x, data.text.contains("xxxxxxxxxxxxxxxxxxxxxxy"))',
  'data.list.all(x, data.text.lowerAscii().upperAscii().size() > 0)',
  'data.list.all(x, size(data.text) > 0)',
  'data.list.all(x, data.text.indexOf("y") < 0 && data.text.lastIndexOf("y") < 0)',
  'data.list.all(x, bytes(data.text) + bytes(data.text) != b"")',
  'data.list.all(x, x in data.long || x in data.wide || string(x) in data.wide)',
  'data.list.all(x, data.long + data.long == data.long)',
  'data.list.all(x, data.lists + data.lists == data.lists)',
  'data.list.all(x, timestamp(event.time).getHours("Europe/Berlin") == 1 || true)',
  'data.list.all(x, timestamp(event.time) + duration("1s") > timestamp(event.recordedtime) || true)',
  'data.wide.all(x, data.wide.all(y, x == y))',
  'data.long.all(x, x >= 0)',
  'int(data.digits) > 0 || double(data.digits) > 0.0 || uint(data.digits) > 0u',
  '[data.text + data.text].all(a, [a + a].all(b, (b + b + b + b).size() > 0))',
  '[data.list + data.list].all(a, [a + a].all(b, (b + b + b + b).size() > 0))',
  `[${Array.from({ length: 140 }, (_, index) => index).join(',')}].all(x, [1,2,3,4,5,6,7,8,9].all(y, x != y || true))`,
  `${'data.text + '.repeat(60)}data.text == data.text`,
  `(${'data.list + '.repeat(60)}[]) == (${'data.list + '.repeat(60)}[])`,
  'data.noise.matches("(a|b)*a(a|b){20}(x|y)")',
  'data.noise.matches("(a|b)*a[ab]{12}(x|y)")',
  'data.noise.matches("(a|b)*a[ab]{16}(x|y)")',
  'data.noise.matches("(a|b)*a[ab]{60}(x|y)")',
  'data.texts.all(t, t.matches("(a|b)*a[ab]{16}(x|y|[0-9])"))',
  'data.texts.all(t, t.matches("^[ab]+[0-9]+$"))',
  'data.texts.exists(t, t.matches("^nope"))',
  'data.noise.matches("(?:.?.?){45}[^b]$") || data.noise.matches("(.*a.*b){8}(.*a.{5}b){10}[^d]$")',
  'data.noise.substring(0, 500).matches("(?:(?:a|b|ab|ba|aa|bb)*){12}[^d]$")',
  `${'true ? '.repeat(60)}data.text == data.text${' : false'.repeat(60)}`,
  `data.deep${'.a'.repeat(60)} == data.deep`,
  'data.list.all(x, {"a": data, "b": [data, data]} == {"a": data, "b": [data, data]})',
];

const atom = fc.constantFrom(
  ...['event', 'data', 'labels', 'x', 'true', 'false', 'null', '0', '1', '-1', '9223372036854775807', '1.5', '2u'],
  ...['"a"', "'x'", 'b"a"', 'r"\\d"', '"""t"""', '[]', '{}', 'int', 'string'],
  ...Object.keys(HEAVY).map((name) => `data.${name}`),
  ...['event.type', 'event.position', 'event.time', 'labels.l1', 'event["type"]', 'data[0]'],
);

/** Texts that are CEL, or nearly. */
export const expressions: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => {
  const any = tie('any');
  const join = (...parts: (string | fc.Arbitrary<string>)[]) =>
    fc
      .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
      .map((made) => made.join(''));
  const operator = fc.constantFrom('+', '-', '*', '/', '%', '==', '!=', '<', '<=', '>', '>=', '&&', '||', ' in ');
  const method = fc.constantFrom(
    ...[
      'size',
      'startsWith',
      'endsWith',
      'contains',
      'matches',
      'indexOf',
      'substring',
      'charAt',
      'trim',
      'lowerAscii',
    ],
    ...['getHours', 'getFullYear', 'nope', 'map', 'filter', 'all', 'exists', 'exists_one'],
  );
  const called = fc.constantFrom(
    ...['size', 'int', 'uint', 'double', 'string', 'bytes', 'bool', 'timestamp', 'duration', 'type', 'dyn', 'has', 'f'],
  );
  return {
    any: fc.oneof(
      { maxDepth: 6, depthSize: 'medium' },
      atom,
      join(any, operator, any),
      join('(', any, ')'),
      join('!', any),
      join('-', any),
      join(any, '?', any, ':', any),
      join(any, '.', method, '(', any, ')'),
      join(any, '.', method, '()'),
      join(any, '.', fc.constantFrom('all', 'exists', 'exists_one'), '(x, ', any, ')'),
      join(called, '(', any, ')'),
      join('[', any, ',', any, ']'),
      join('{', any, ':', any, '}'),
      join(any, '[', any, ']'),
      join(any, '.', fc.constantFrom('a', 'b', 'list', 'type', '__proto__', 'constructor')),
    ),
  };
}).any;
