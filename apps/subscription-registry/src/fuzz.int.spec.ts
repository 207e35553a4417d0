import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, startStage } from './registry.harness.js';

let registry: Stage;

beforeAll(async () => {
  registry = await startStage();
});

afterAll(() => registry?.close());

/** Texts that people and attackers send, the awkward ones often. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    '\ud800',
    'a\u0000b',
    '__proto__',
    'constructor',
    '…',
    '***',
    "'; DROP TABLE x; --",
  ),
);
const word = fc.oneof({ weight: 4, arbitrary: fc.stringMatching(/^[a-z]{1,8}$/) }, text);
const duration = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('10s', '1m', '1.5s') },
  fc.constantFrom('0s', '-1s', '1e3s', '99999d', '10'),
);
const goodUrl = fc.oneof(
  fc.webUrl({ withQueryParameters: true, withFragments: true, validSchemes: ['https'] }),
  fc.constantFrom(
    'https://hooks.example.net/x',
    'https://ä.example/',
    'https://u:p@h.example/?q#f',
    'https://10.0.0.1/…',
  ),
);
const url = fc.oneof(
  { weight: 6, arbitrary: goodUrl },
  fc.constantFrom(
    'https://[::1]/',
    'https://127.1/',
    'http://a',
    'https://a/…',
    'https://xn--/',
    'https://a:99999/',
    'javascript:x',
  ),
  text,
);
const labels = fc.oneof(
  { weight: 6, arbitrary: fc.dictionary(fc.constantFrom('site', 'a.b/c', 'role'), word, { maxKeys: 3 }) },
  fc.dictionary(text, text, { maxKeys: 2 }),
  fc.jsonValue(),
);
const headers = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.dictionary(
      fc.constantFrom('X-Key', 'Authorization', '__proto__'),
      fc.constantFrom('v', '', '***', 'a b'),
    ),
  },
  fc.dictionary(text, text, { maxKeys: 2 }),
);
const check = fc.oneof(
  fc.record({ type: fc.constant('tcp'), host: word, port: fc.integer({ min: 1, max: 65_535 }) }),
  fc.record({ type: fc.constant('http'), url, headers, interval: duration }, { requiredKeys: ['type', 'url'] }),
  fc.record(
    {
      type: fc.constant('http'),
      url: goodUrl,
      expect: fc.record({ status: fc.constantFrom(['2xx'], ['200-299'], ['x'], []), body: text }, { requiredKeys: [] }),
    },
    { requiredKeys: ['type', 'url'] },
  ),
  fc.record({
    type: fc.constantFrom('http', 'tcp', 'icmp'),
    failures: fc.oneof(fc.integer(), fc.double()),
    host: text,
    url,
  }),
);
const target = fc.record(
  { kind: fc.constantFrom('node', 'gateway', 'origin', 'x'), labels, parent: fc.constantFrom('a', 'b', 'B'), check },
  { requiredKeys: ['kind', 'check'] },
);
const subscription = fc.record(
  {
    destination: fc.record({ kind: fc.constant('webhook'), url, headers }, { requiredKeys: ['kind', 'url'] }),
    types: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(['*'], ['io.tocsin.*', 'com.acme.x']) },
      fc.array(text, { maxLength: 2 }),
    ),
    labels,
    order: fc.constantFrom('subject', 'none', 'none', 'x'),
  },
  { requiredKeys: ['destination', 'types'] },
);
const time = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('2030-01-01T00:00:00Z', '2030-01-02T00:00:00+05:30', '2030-01-06T02:00:00') },
  fc.constantFrom('2030-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '2030-01-01'),
  text,
);
const maintenance = fc.oneof(
  fc.record({ start: time, end: time, selector: labels, reason: text }, { requiredKeys: ['start', 'end'] }),
  fc.record({
    start: fc.constant('2030-01-06T02:00:00'),
    rrule: fc.constantFrom(
      'FREQ=WEEKLY;BYDAY=SU',
      'FREQ=DAILY;COUNT=0',
      'FREQ=YEARLY;BYMONTH=13',
      'FREQ=SECONDLY',
      'X',
    ),
    timeZone: fc.constantFrom('Europe/Berlin', 'Mars/Olympus', 'UTC'),
    duration,
  }),
);
const name = fc.constantFrom('a', 'b', 'c.d');

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}
const sometimesOther = (usual: fc.Arbitrary<unknown>) => fc.oneof({ weight: 8, arbitrary: usual }, fc.jsonValue());
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({
    method: fc.constant('PUT'),
    path: name.map((one) => `/v1/targets/${one}`),
    body: sometimesOther(target),
  }),
  fc.record({
    method: fc.constant('PUT'),
    path: name.map((one) => `/v1/subscriptions/${one}`),
    body: sometimesOther(subscription),
  }),
  fc.record({
    method: fc.constant('PUT'),
    path: name.map((one) => `/v1/maintenance/${one}`),
    body: sometimesOther(maintenance),
  }),
  fc.record({
    method: fc.constant('PATCH'),
    path: name.map((one) => `/v1/targets/${one}`),
    body: sometimesOther(target),
  }),
  fc.record({
    method: fc.constant('PATCH'),
    path: name.map((one) => `/v1/subscriptions/${one}`),
    body: sometimesOther(subscription),
  }),
  fc.record({
    method: fc.constant('POST'),
    path: fc.constant('/v1/apply'),
    body: fc.record(
      {
        owner: fc.oneof(word, text),
        prune: fc.boolean(),
        takeOver: fc.boolean(),
        expect: sometimesOther(
          fc.dictionary(
            fc.constantFrom('target/a', 'subscription/b', 'maintenance/c.d', 'key/a', '__proto__'),
            fc.integer({ min: -1, max: 9 }),
            { maxKeys: 2 },
          ),
        ),
        maintenance: fc.array(
          fc.tuple(name, maintenance).map(([called, spec]) => ({ name: called, ...spec })),
          { maxLength: 2 },
        ),
        targets: fc.array(
          fc.tuple(name, target).map(([called, spec]) => ({ name: called, ...spec })),
          { maxLength: 2 },
        ),
        subscriptions: fc.array(
          fc.tuple(name, subscription).map(([called, spec]) => ({ name: called, ...spec })),
          { maxLength: 2 },
        ),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    method: fc.constant('GET'),
    path: fc.tuple(text, text, text).map(([limit, cursor, selector]) => {
      const query = [`limit=${escaped(limit)}`, `cursor=${escaped(cursor)}`, `labels=${escaped(selector)}`];
      return `/v1/targets?${query.join('&')}`;
    }),
    body: fc.constant(undefined),
  }),
  fc.record({
    method: fc.constant('GET'),
    path: text.map((one) => `/v1/targets/${escaped(one)}`),
    body: fc.constant(undefined),
  }),
);

function escaped(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

describe('whatever is sent', () => {
  it(
    'is taken or refused with a reason, never a failure; and what was taken can be read and taken again',
    { timeout: 120_000 },
    async () => {
      let taken = 0;
      await fc.assert(
        fc.asyncProperty(call, async ({ method, path, body }) => {
          const answer = await registry.call(method, path, body);
          if (answer.status >= 300) {
            expect(answer.status).toBeLessThan(500);
            expect(answer.body).toMatchObject({ code: expect.stringMatching(/^TCN_/), detail: expect.any(String) });
            return;
          }
          if (method !== 'PUT') return;
          taken += 1;
          const shown = await registry.call('GET', path);
          expect(shown.status).toBe(200);
          const again = await registry.call('PUT', path, body);
          expect(again).toMatchObject({ status: 200, body: { revision: shown.body.revision } });
        }),
        { numRuns: 1_500 },
      );
      expect(taken).toBeGreaterThan(30);
      expect((await registry.readiness.check()).checks['registry']).toBe('ok');
    },
  );
});
