import { createLogger } from '@tocsin/platform';
import { Receiver, testFolder } from '@tocsin/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../command-line/run.js';
import { standaloneConfig } from '../up/standalone-config.js';
import { type Standalone, startStandalone } from '../up/standalone.js';

let standalone: Standalone;
let receiver: Receiver;
let folder: string;

beforeAll(async () => {
  folder = await testFolder();
  [standalone, receiver] = await Promise.all([
    startStandalone({
      config: standaloneConfig.parse({
        TOCSIN_DATA_DIR: join(folder, 'data'),
        TOCSIN_HTTP_PORT: '0',
        TOCSIN_GRPC_PORT: '0',
      }),
      logger: createLogger({ name: 'spec', level: process.env['SPEC_LOG'] ?? 'silent', format: 'json' }),
      say: () => undefined,
    }),
    Receiver.start(),
  ]);
  const events = Array.from({ length: 6 }, (_, index) => ({
    specversion: '1.0',
    id: `order-${index}`,
    source: 'https://shop.example.net/',
    type: index === 5 ? 'com.acme.order.cancelled' : 'com.acme.order.placed',
    subject: `order/${index}`,
    data: { labels: { site: index < 4 ? 'fra' : 'ams' }, total: index * 100, ...(index === 3 ? {} : { gift: false }) },
  }));
  const recorded = await call('POST', '/v1/events', events, 'application/cloudevents-batch+json');
  expect(recorded.status).toBe(201);
}, 180_000);

afterAll(async () => {
  await standalone?.stop();
  await receiver?.close();
});

beforeEach(() => {
  receiver.requests.length = 0;
  receiver.respond({});
});

async function call(method: string, path: string, body?: unknown, type = 'application/json') {
  const response = await fetch(`${standalone.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${standalone.apiKey}`,
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    // Specs look into answers of every shape.
    // oxlint-disable-next-line typescript/no-explicit-any
    body: (text === '' ? undefined : JSON.parse(text)) as any,
    headers: response.headers,
  };
}

const origin = () => new URL(receiver.url).origin;
const specOf = (more: object = {}, path = 'anybody') => ({
  types: ['com.acme.order.placed'],
  destination: { kind: 'webhook', url: `${origin()}/hush/${path}`, headers: { 'X-Key': 'hush-header' } },
  ...more,
});
/** What a subscription was sent. */
const sentTo = (name: string) => receiver.requests.filter(({ path }) => path === `/hush/${name}`);
const typesSentTo = (name: string) => sentTo(name).map(({ json }) => (json as { type: string }).type);

/** Declares a subscription that is told of nothing that is there already. */
async function declare(name: string, more: object = {}): Promise<string> {
  const { status, body } = await call('PUT', `/v1/subscriptions/${name}`, specOf(more, name));
  expect([status, body.detail]).toEqual([201, undefined]);
  return body.secret;
}

/** Runs a command in this process. */
async function tocsin(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((said.out += String(text)), true));
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((said.err += String(text)), true));
  vi.stubEnv('TOCSIN_URL', standalone.url).stubEnv('TOCSIN_API_KEY', standalone.apiKey);
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    const code = (await run(args, '1.2.3')) ?? process.exitCode;
    return { code: code, out: stripVTControlCharacters(said.out), err: said.err };
  } finally {
    process.exitCode = before;
    vi.unstubAllEnvs();
    out.mockRestore();
    err.mockRestore();
  }
}

describe('a filter', () => {
  it('decides who is told, and the check of the ledger decides by it too', async () => {
    await declare('filtered', {
      types: ['com.acme.invoice.*'],
      filter: 'data.total >= 200 && event.subject.startsWith("invoice/")',
    });
    const invoice = (id: string, data: object) => ({
      ...{ specversion: '1.0', id, source: 'https://shop.example.net/', type: 'com.acme.invoice.sent' },
      ...{ subject: `invoice/${id}`, data },
    });
    const batch = [
      invoice('1', { total: 100 }),
      invoice('2', { total: 200 }),
      invoice('3', {}),
      invoice('4', { total: 300 }),
    ];
    const { body } = await call('POST', '/v1/events', batch, 'application/cloudevents-batch+json');
    const last = body.events.at(-1).position as number;
    await vi.waitFor(() => expect(sentTo('filtered')).toHaveLength(2), 10_000);
    expect(
      sentTo('filtered')
        .map(({ json }) => (json as { subject: string }).subject)
        .toSorted(),
    ).toEqual(['invoice/2', 'invoice/4']);
    await vi.waitFor(async () => {
      const audit = (await call('GET', '/v1/deliveries/verify')).body;
      expect(audit).toMatchObject({ ok: true, missingCount: 0 });
      expect(audit.upTo).toBeGreaterThanOrEqual(last);
    }, 20_000);
    const { body: list } = await call('GET', '/v1/deliveries?subscription=filtered');
    expect(list.items).toHaveLength(2);
    const metrics = await (await fetch(`${standalone.url}/metrics`)).text();
    expect(metrics).toMatch(/^tocsin_filter_failures_total(?:\{[^}]*\})? 1$/m);
  });

  it.each([
    ['misspelt', 'evnt.type == "x"', /^line 1, column 1: there is no "evnt"/],
    ['no bool', 'event.type', /gives a string; a filter must give a bool/],
    ['too long', `true || ${'x'.repeat(3_000)}`, /2048|<=2048/],
    ['nested without end', '('.repeat(2_000), /nested more than 32 deep/],
    ['that would take for ever', 'data.a.all(x, data.a.all(y, data.a.all(z, x == y)))', /nested more than 2/],
    ['with a pattern that explodes', 'data.t.matches("((((a{20}){20}){20}){20})")', /states|repeat/],
  ])('that is %s is refused with its place', async (_what, filter, detail) => {
    const answer = await call('PUT', '/v1/subscriptions/refused', specOf({ filter }));
    expect([answer.status, answer.body.code]).toEqual([422, 'TCN_INVALID']);
    expect(answer.body.errors).toEqual([{ pointer: '/filter', detail: expect.stringMatching(detail) }]);
    const applied = await call('POST', '/v1/apply', { subscriptions: [{ name: 'refused', ...specOf({ filter }) }] });
    expect(applied.body.errors[0].pointer).toBe('/subscriptions/0/filter');
    expect((await call('GET', '/v1/subscriptions/refused')).status).toBe(404);
  });
});

describe('a preview', () => {
  it('says what matches and why the rest does not, shows the request without its secrets, and sends nothing', async () => {
    const secret = await declare('previewed', { labels: { site: 'fra' }, filter: 'data.total >= 100 && !data.gift' });
    const { status, body } = await call('POST', '/v1/subscriptions/previewed/preview', { last: 1_000 });
    expect(status).toBe(200);
    const ours = body.events.filter(({ subject }: { subject: string }) => subject.startsWith('order/'));
    expect(ours).toMatchObject([
      { subject: 'order/5', matches: false, clause: 'type' },
      { subject: 'order/4', matches: false, clause: 'labels', why: 'site is "ams", not "fra"' },
      { subject: 'order/3', matches: false, clause: 'filter', why: expect.stringMatching(/gift/) },
      { subject: 'order/2', matches: true },
      { subject: 'order/1', matches: true },
      { subject: 'order/0', matches: false, clause: 'filter' },
    ]);
    expect(ours[5].why).toBeUndefined();
    expect(body).toMatchObject({ name: 'previewed', matched: 2, unmatched: { labels: 1, filter: 2 }, filterFailed: 1 });
    const { type, withheld } = body.unmatched;
    expect(body.examined).toBe(2 + 1 + 2 + type + withheld);
    const [request] = body.newestMatch.requests;
    expect(request).toMatchObject({
      method: 'POST',
      url: `${origin()}/…`,
      headers: { 'x-key': '***', 'webhook-signature': expect.stringMatching(/^v1,/) },
    });
    expect(JSON.parse(request.body)).toMatchObject({ subject: 'order/2', data: { total: 200 } });
    const text = JSON.stringify(body);
    for (const hidden of ['hush/', 'hush-header', secret]) expect(text).not.toContain(hidden);
    expect(sentTo('previewed')).toEqual([]);
  });

  it('looks at so many, and takes a declaration that does not stand yet', async () => {
    const subscription = specOf({ types: ['com.acme.order.*'], filter: 'data.total == 400' });
    const { status, body } = await call('POST', '/v1/subscriptions/not-yet/preview', { subscription, last: 1_000 });
    expect([status, body.matched]).toEqual([200, 1]);
    expect((await call('GET', '/v1/subscriptions/not-yet')).status).toBe(404);
    const few = await call('POST', '/v1/subscriptions/not-yet/preview', { subscription, last: 1 });
    expect([few.body.examined, few.body.events.length]).toEqual([1, 1]);
  });

  it('takes what GET shows, changed, and means the destination that is there', async () => {
    await declare('shown');
    const { destination, types } = (await call('GET', '/v1/subscriptions/shown')).body;
    const subscription = { destination, types, filter: 'data.total > 300' };
    const { status, body } = await call('POST', '/v1/subscriptions/shown/preview', { subscription });
    expect([status, body.matched]).toEqual([200, 1]);
  });

  it('refuses what declaring it would, with the place', async () => {
    const refused = (body: unknown, name = 'nobody') => call('POST', `/v1/subscriptions/${name}/preview`, body);
    expect((await refused(undefined)).body).toMatchObject({ code: 'TCN_NOT_FOUND', status: 404 });
    expect((await refused({}, 'No Name')).body).toMatchObject({ code: 'TCN_INVALID' });
    for (const last of [0, 1_001, 'many', 1.5]) {
      expect((await refused({ last })).body.errors).toMatchObject([{ pointer: '/last' }]);
    }
    expect((await refused({ lst: 1 })).body.errors).toMatchObject([{ pointer: '/lst' }]);
    const filter = await refused({ subscription: specOf({ filter: 'true &' }) });
    expect(filter.body.errors).toMatchObject([{ pointer: '/subscription/filter', detail: /^line 1, column 6/ }]);
    const url = 'http://169.254.169.254/';
    const blocked = await refused({ subscription: specOf({ destination: { kind: 'webhook', url } }) });
    expect(blocked.body).toMatchObject({
      code: 'TCN_EGRESS_BLOCKED',
      errors: [{ pointer: '/subscription/destination/url' }],
    });
    expect((await call('POST', '/v1/subscriptions/nobody/preview?last=3', {})).status).toBe(422);
  });

  it('of the costliest filter leaves the service responsive', async () => {
    const filter =
      'data == event || labels.all(a, labels.all(b, a.matches("(a|b)*a[ab]{40}(x|y)") || b == a || data != event))';
    const subscription = specOf({ types: ['*'], filter });
    const previews = Promise.all(
      [1, 2].map(() => call('POST', '/v1/subscriptions/x/preview', { subscription, last: 1_000 })),
    );
    const startedMs = performance.now();
    expect((await fetch(`${standalone.url}/healthz`)).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect((await previews).map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe('a test', () => {
  it('goes the way of every event, once, and its answer is shown and recorded for nobody else', async () => {
    receiver.secrets = [await declare('tested')];
    await declare('curious', { types: ['*'] });
    receiver.respond({ status: 202, body: 'thank you' });
    const { status, body } = await call('POST', '/v1/subscriptions/tested/test');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      name: 'tested',
      delivered: true,
      outcome: 'delivered',
      status: 202,
      bodyHead: 'thank you',
      recorded: true,
      address: `127.0.0.1:${receiver.port}`,
      phasesMs: { ttfb: expect.any(Number), total: expect.any(Number) },
    });
    const [request] = sentTo('tested');
    expect(request).toMatchObject({
      verified: true,
      headers: { 'webhook-id': body.webhookId, 'x-key': 'hush-header' },
      json: {
        id: body.webhookId,
        type: 'io.tocsin.subscription.test',
        subject: 'subscription-test/tested',
        position: body.position,
        sequence: 1,
        test: true,
        data: { name: 'tested', message: expect.stringContaining('test') },
      },
    });
    const { body: log } = await call('GET', '/v1/events?subject=subscription-test/tested');
    expect(log.events).toMatchObject([
      { type: 'io.tocsin.subscription.test', position: body.position, withheld: 'test' },
      { type: 'io.tocsin.subscription.tested', withheld: 'test', data: { test: body.position, status: 202 } },
    ]);
    expect(JSON.stringify(log)).not.toContain('thank you');
    // What was withheld of targets is listed there; a test is not news that was kept back.
    expect((await call('GET', '/v1/withheld')).body).toMatchObject({ items: [] });
    // What is recorded after it is told to the curious one, and so the test would have been by now.
    const after = { specversion: '1.0', id: 'after', source: 'https://shop.example.net/', type: 'com.acme.after' };
    await call('POST', '/v1/events', after, 'application/cloudevents+json');
    await vi.waitFor(() => expect(typesSentTo('curious')).toContain('com.acme.after'), 10_000);
    expect(typesSentTo('curious').filter((type) => type.includes('.test'))).toEqual([]);
    expect(typesSentTo('tested')).toEqual(['io.tocsin.subscription.test']);
    expect((await call('GET', '/v1/deliveries?subscription=tested')).body.items).toEqual([]);
    const subscription = specOf({ types: ['io.tocsin.subscription.test'] });
    const preview = await call('POST', '/v1/subscriptions/curious/preview', { subscription });
    expect(preview.body).toMatchObject({ matched: 0, unmatched: { withheld: 1 }, newestMatch: null });
    expect(preview.body.events).toContainEqual(expect.objectContaining({ clause: 'withheld', why: 'test' }));
    await call('DELETE', '/v1/subscriptions/curious');
  });

  it.each([
    ['says no', { status: 500, body: 'broken' }, { outcome: 'retry', status: 500, bodyHead: 'broken' }],
    ['is gone', { status: 410 }, { outcome: 'gone', status: 410 }],
    ['sends it elsewhere', { status: 302, headers: { location: '/other' } }, { outcome: 'misconfigured', status: 302 }],
  ])('shows a receiver that %s, and has it disturb nothing', async (what, answer, expected) => {
    const name = `tested-${what.replaceAll(' ', '-')}`;
    await declare(name);
    receiver.respond(answer);
    const { status, body } = await call('POST', `/v1/subscriptions/${name}/test`);
    expect([status, body.delivered]).toEqual([200, false]);
    expect(body).toMatchObject(expected);
    expect(sentTo(name)).toHaveLength(1);
    const { body: health } = await call('GET', `/v1/events?subject=subscription-health/${name}`);
    expect(health.events).toEqual([]);
  });

  it('shows that nobody listens there', async () => {
    const closed = await Receiver.start();
    const { url } = closed;
    await closed.close();
    await declare('nobody-there', { destination: { kind: 'webhook', url } });
    const { body } = await call('POST', '/v1/subscriptions/nobody-there/test');
    expect(body).toMatchObject({ delivered: false, outcome: 'retry', errorClass: 'refused', recorded: true });
  });

  it('reaches a paused one, and leaves it paused', async () => {
    await declare('resting', { paused: true });
    expect((await call('POST', '/v1/subscriptions/resting/test')).body).toMatchObject({ delivered: true, status: 200 });
    expect((await call('GET', '/v1/subscriptions/resting')).body.state).toBe('paused');
  });

  it('is not sent twice in a moment, however many ask', async () => {
    await declare('hasty');
    const answers = await Promise.all(Array.from({ length: 4 }, () => call('POST', '/v1/subscriptions/hasty/test')));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({ code: 'TCN_OVERLOADED' });
    expect(refused?.headers.get('retry-after')).toMatch(/^[12]$/);
    expect(sentTo('hasty')).toHaveLength(1);
  });

  it('of what is not there is not found', async () => {
    expect((await call('POST', '/v1/subscriptions/nobody/test')).status).toBe(404);
    expect((await call('POST', '/v1/subscriptions/No%20Name/test')).status).toBe(422);
    expect((await call('POST', '/v1/subscriptions/nobody/test?dryRun=true')).status).toBe(422);
  });
});

describe('the command', () => {
  it('previews, for people and for programs', async () => {
    await declare('by-hand', { labels: { site: 'fra' } });
    const { code, out, err } = await tocsin('subscriptions', 'preview', 'by-hand', '--last', '1000');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^by-hand would have been told 4 of the last \d+ events\n {2}not: \d+ by type, 1 by labels/);
    expect(out).toMatch(/com\.acme\.order\.placed +order\/4 +no: labels: site is "ams", not "fra"\n/);
    expect(out).toMatch(/order\/3 +yes\n/);
    expect(out).toContain(`POST ${origin()}/…\n`);
    expect(out).not.toContain('io.tocsin.');
    expect(out).toContain('"subject": "order/3"');
    expect(out).toContain('does not verify');
    const program = await tocsin('subscriptions', 'preview', 'by-hand', '--last', '3', '--json');
    expect(JSON.parse(program.out)).toMatchObject({ name: 'by-hand', examined: 3 });
  });

  it('previews what a file says, and names its mistakes there', async () => {
    const file = join(folder, 'tocsin.yaml');
    const declared = (filter: string) => `version: 1
subscriptions:
  - name: in-file
    types: [com.acme.order.*]
    filter: ${JSON.stringify(filter)}
    destination: { kind: webhook, url: "${origin()}/" }
`;
    await writeFile(file, declared('data.total > 400'));
    const preview = ['subscriptions', 'preview', 'in-file', '--last', '1000', '--file', file];
    expect((await tocsin(...preview)).out).toMatch(/^in-file would have been told 1 of /);
    await writeFile(file, declared('data.total >'));
    const wrong = await tocsin(...preview);
    expect([wrong.code, wrong.out]).toEqual([1, '']);
    expect(wrong.err).toMatch(/TCN_INVALID: .*tocsin\.yaml.*5.*line 1, column 12/s);
    const none = await tocsin('subscriptions', 'preview', 'other', '--file', file);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('declares no subscription "other"')]);
  });

  it('tests, and exits with 1 where the receiver refuses', async () => {
    await declare('by-hand-tested');
    receiver.respond({ status: 204 });
    const taken = await tocsin('subscriptions', 'test', 'by-hand-tested');
    expect([taken.code, taken.err]).toEqual([0, '']);
    expect(taken.out).toMatch(
      /^✔ by-hand-tested took the test: HTTP 204 in [\d.]+ ms \(.*ttfb [\d.]+\)\n {2}event \d+, evt_/,
    );
    await declare('by-hand-refused');
    receiver.respond({ status: 401, body: 'who are you?\n\u001b[2J' });
    const refused = await tocsin('subscriptions', 'test', 'by-hand-refused');
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/^✘ by-hand-refused did not take the test: HTTP 401/);
    expect(refused.out).toContain('the receiver does not know who asks');
    expect(refused.out).toContain('\n  who are you?\n');
    expect(refused.out).not.toContain('\u001b');
    const program = await tocsin('subscriptions', 'test', 'by-hand-refused', '--json');
    expect([program.code, program.err]).toEqual([1, expect.stringContaining('TCN_OVERLOADED')]);
    const nobody = await tocsin('subscriptions', 'test', 'nobody', '--json');
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('TCN_NOT_FOUND')]);
    expect((await tocsin('subscriptions', 'test')).code).toBe(2);
    expect((await tocsin('subscriptions', 'preview', 'by-hand', '--last', '1001')).code).toBe(2);
  });
});
