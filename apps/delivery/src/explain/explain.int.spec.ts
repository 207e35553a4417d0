import { HEALTH_PROBE_SOURCE, MAINTENANCE_EVENTS, REGISTRY_EVENTS } from '@tocsin/contracts';
import type { EventToAppend, JsonObject } from '@tocsin/domain';
import { eventually, Receiver } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type RunningDelivery, Surroundings } from '../delivery.harness.js';

let around: Surroundings;
let delivery: RunningDelivery;
let good: Receiver;
let bad: Receiver;
let nodes = 0;

beforeAll(async () => {
  [around, good, bad] = await Promise.all([Surroundings.start(), Receiver.start(), Receiver.start()]);
  delivery = await around.delivery();
});

afterAll(async () => {
  await delivery?.close();
  await Promise.all([around?.stop(), good?.close(), bad?.close()]);
});

type Appendable = Parameters<Surroundings['append']>[0][number];

/** A change of a node as an observer reports it. */
function change(
  node: string,
  to: 'down' | 'up',
  more: Pick<EventToAppend, 'extensions'> = {},
  data: JsonObject = {},
): Appendable {
  const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000).toISOString();
  const outcome = to === 'down' ? 'fail' : 'pass';
  return {
    source: HEALTH_PROBE_SOURCE,
    type: `io.tocsin.node.${to === 'down' ? 'offline' : 'online'}`,
    subject: `node/${node}`,
    time: at(3),
    extensions: { episode: `ep_${node}`, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    ...more,
    data: {
      ...{ target: node, kind: 'node', labels: { site: 'fra', role: 'edge' } },
      ...(to === 'down' ? { from: 'up', to } : { from: 'down', to }),
      ...{ reason: 'connection refused', confidence: 'quorum', votes: { fail: 2, pass: 1, abstain: 0 } },
      evidence: [
        { observer: 'obs-a', at: at(3), outcome, phase: 'connect', detail: 'connection refused', durationMs: 1 },
        { observer: 'obs-b', at: at(2), outcome, phase: 'connect', detail: 'connection refused', durationMs: 2 },
        { observer: 'obs-c', at: at(2), outcome: 'pass', durationMs: 2 },
      ],
      ...{ confirmedAt: at(1), detectionMs: 2_000 },
      ...data,
    },
  };
}

/** A node that no other test uses. */
function fresh(): string {
  nodes += 1;
  return `n${nodes}`;
}

const NODES = { types: ['io.tocsin.node.*'] };

async function explain(query: Record<string, string>): Promise<Answer['body']> {
  const { status, body } = await delivery.call('GET', `/v1/explain?${new URLSearchParams(query).toString()}`);
  expect(status).toBe(200);
  return body;
}

/** Outcome and clause of every subscription of the first event explained. */
function outcomes(body: Answer['body'], names: readonly string[]): Record<string, string> {
  const stories = body.events[0].subscriptions as { subscription: string; outcome: string; clause?: string }[];
  return Object.fromEntries(
    stories
      .filter(({ subscription }) => names.includes(subscription))
      .map(({ subscription, outcome, clause }) => [subscription, clause ?? outcome]),
  );
}

async function append(event: Appendable): Promise<number> {
  const [appended] = await around.append([event]);
  return appended?.position ?? 0;
}

describe('an explanation', () => {
  it('says for every subscription what became of an event, and what kept it from matching', async () => {
    const node = fresh();
    const url = good.url;
    bad.respond({ status: 503 });
    await around.subscribe('told', url, NODES);
    await around.subscribe('fails', bad.url, { ...NODES, retry: { schedule: ['1h'] } });
    await around.subscribe('gives-up', bad.url, { ...NODES, retry: { schedule: [] } });
    await around.subscribe('other-type', url, { types: ['io.tocsin.gateway.*'] });
    await around.subscribe('other-label', url, { ...NODES, labels: { site: 'fra', role: 'core' } });
    await around.subscribe('other-filter', url, { ...NODES, filter: 'event.data.to == "up"' });
    await around.subscribe('removed', url, NODES);
    await around.unsubscribe('removed');
    await around.subscribe('paused', url, NODES);
    const [declared] = await around.database.query<{ data: JsonObject & { spec: JsonObject } }>(
      `SELECT data FROM log.event WHERE subject = 'subscription/paused'`,
    );
    const paused = { ...declared?.data, spec: { ...declared?.data.spec, paused: true } };
    await around.registryEvent(REGISTRY_EVENTS.subscriptionPaused, 'paused', paused);
    const position = await append(change(node, 'down'));
    await around.subscribe('later', url, NODES);
    await around.settledUpTo(position);
    await eventually(
      async () => (await delivery.call('GET', `/v1/deliveries/${position}-gives-up`)).body.state === 'dead',
      {
        what: 'it is given up',
      },
    );

    const names = [
      'told',
      'fails',
      'gives-up',
      'other-type',
      'other-label',
      'other-filter',
      'removed',
      'paused',
      'later',
    ];
    const body = await explain({ subject: `node/${node}` });
    expect(outcomes(body, names)).toEqual({
      told: 'delivered',
      fails: 'pending',
      'gives-up': 'dead',
      'other-type': 'type',
      'other-label': 'labels',
      'other-filter': 'filter',
      removed: 'removed',
      paused: 'parked',
      later: 'created-later',
    });
    expect(body.summary).toMatch(
      new RegExp(
        `^node/${node} up → down at .* \\(event ${position}\\): of 9 subscriptions 1 told, 2 waiting, 1 not told, 5 had not asked for it$`,
      ),
    );
    const answers = new Map<string, string>(
      body.events[0].subscriptions.map((one: { subscription: string; answer: string }) => [
        one.subscription,
        one.answer,
      ]),
    );
    expect(answers.get('fails')).toMatch(
      /^not told yet: 1 attempt so far, the last: HTTP 503 in \d+ ms; next attempt at 2/,
    );
    expect(answers.get('other-label')).toBe('not told: it asks for role=core, and the event has role=edge');
    expect(answers.get('other-type')).toBe('not told: it asks for io.tocsin.gateway.*, not for io.tocsin.node.offline');
    expect(answers.get('paused')).toMatch(/^not told yet: it is paused since /);

    const steps = body.events[0].steps as { what: string; subscription?: string; traceId?: string }[];
    expect(steps.filter(({ subscription }) => subscription === undefined).map(({ what }) => what)).toEqual([
      ...['probe', 'vote', 'vote', 'confirmed', 'recorded'],
    ]);
    expect(steps.find(({ what }) => what === 'recorded')?.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(steps.filter(({ subscription }) => subscription === 'fails').map(({ what }) => what)).toEqual([
      'attempt',
      'next-attempt',
    ]);
  });

  it('is of one subscription where one is asked about, also of one that never was', async () => {
    const node = fresh();
    await around.settledUpTo(await append(change(node, 'down')));
    const told = await explain({ subject: `node/${node}`, subscription: 'told' });
    expect(told.events[0].subscriptions).toHaveLength(1);
    expect(told.summary).toMatch(/: told was told at .*, 1 attempt: HTTP 200 in \d+ ms$/);
    const nobody = await explain({ subject: `node/${node}`, subscription: 'nobody' });
    expect(outcomes(nobody, ['nobody'])).toEqual({ nobody: 'not-declared' });
  });

  it('names the maintenance window that kept a change back', async () => {
    const node = fresh();
    const spec = {
      selector: { role: 'edge' },
      reason: 'new disks',
      start: new Date(Date.now() - 60_000).toISOString(),
      end: new Date(Date.now() + 60_000).toISOString(),
    };
    await around.append([
      {
        type: MAINTENANCE_EVENTS.declared,
        subject: 'maintenance/other',
        source: 'tocsin/registry',
        data: { name: 'other', actor: 'spec', spec: { ...spec, selector: { role: 'core' } } },
      },
      {
        type: MAINTENANCE_EVENTS.declared,
        subject: 'maintenance/disks',
        source: 'tocsin/registry',
        data: { name: 'disks', actor: 'spec', spec },
      },
    ]);
    await append(change(node, 'down', { extensions: { withheld: 'maintenance' } }, { told: { state: 'up' } }));
    const body = await explain({ subject: `node/${node}` });
    expect(body.events[0].suppressed).toMatchObject([
      {
        by: 'maintenance',
        text: expect.stringMatching(/maintenance "disks" from .* \(new disks\)$/),
        event: { subject: 'maintenance/disks' },
      },
    ]);
    expect(body.summary).toMatch(/nobody was told: kept back by maintenance "disks"/);
    expect(outcomes(body, ['told', 'other-type'])).toEqual({ told: 'withheld', 'other-type': 'type' });
  });

  it('names parent, group and flapping as well', async () => {
    const [node, parent] = [fresh(), fresh()];
    const check = { type: 'http', url: 'http://127.0.0.1:9/' };
    const declare = (name: string, more: JsonObject = {}) => ({
      ...{ type: REGISTRY_EVENTS.targetRegistered, subject: `target/${name}`, source: 'tocsin/registry' },
      data: {
        name,
        actor: 'spec',
        spec: {
          kind: 'node',
          labels: {},
          check: { ...check, interval: '10s', timeout: '2s', fastInterval: '1s', failures: 2, successes: 2 },
          ...more,
        },
      },
    });
    const [, , parentDown, outage] = await around.append([
      declare(parent),
      declare(node, { parent }),
      change(parent, 'down'),
      {
        id: 'evt_group',
        type: 'io.tocsin.group.outage',
        subject: 'group/site=fra',
        source: HEALTH_PROBE_SOURCE,
        data: { group: 'site=fra', members: [], size: 2 },
      },
      {
        type: 'io.tocsin.node.flapping-started',
        subject: `node/${node}`,
        source: HEALTH_PROBE_SOURCE,
        data: { target: node, kind: 'node', labels: {} },
      },
    ]);
    const extensions = { withheld: 'flapping,unreachable,storm', causedby: 'evt_group' };
    const position = await append(change(node, 'down', { extensions }, { told: { state: 'up' } }));
    const { body } = await delivery.call('GET', `/v1/explain/${position}`);
    expect(body.suppressed).toMatchObject([
      { by: 'flapping', event: { type: 'io.tocsin.node.flapping-started' } },
      {
        by: 'unreachable',
        text: expect.stringContaining(`its parent "${parent}"`),
        event: { position: parentDown?.position },
      },
      {
        by: 'storm',
        text: expect.stringContaining('most of site=fra failed together'),
        event: { position: outage?.position },
      },
    ]);
  });

  it('takes a target by its name alone, and an outage together with its end', async () => {
    const node = fresh();
    const [down] = await around.append([change(node, 'down'), change(node, 'up')]);
    const check = {
      type: 'http',
      url: 'http://127.0.0.1:9/',
      interval: '10s',
      timeout: '2s',
      fastInterval: '1s',
      failures: 2,
      successes: 2,
    };
    await around.append([
      {
        type: REGISTRY_EVENTS.targetRegistered,
        subject: `target/${node}`,
        data: { name: node, actor: 'spec', spec: { kind: 'node', labels: {}, check } },
      },
    ]);
    const body = await explain({ subject: node });
    expect(body.subject).toBe(`node/${node}`);
    expect(body.events.map(({ position }: { position: number }) => position)).toEqual([
      down?.position,
      (down?.position ?? 0) + 1,
    ]);
  });

  it('says where nothing is recorded about a time, and names the nearest events', async () => {
    const node = fresh();
    const position = await append(change(node, 'down'));
    await append(change(node, 'up'));
    const before = await explain({ subject: `node/${node}`, at: new Date(Date.now() - 86_400_000).toISOString() });
    expect(before).toMatchObject({
      events: [],
      after: { position },
      summary: expect.stringMatching(/^nothing is recorded about node\/n\d+ around /),
    });
    const after = await explain({ subject: `node/${node}`, at: new Date(Date.now() + 86_400_000).toISOString() });
    expect(after).toMatchObject({ events: [], before: { position: position + 1 } });
    expect(await explain({ subject: 'node/nowhere' })).toMatchObject({
      events: [],
      summary: 'nothing is recorded about node/nowhere, so nobody was told of anything',
    });
  });

  it('tells of an outage that lasted at the time asked about, however long ago it began', async () => {
    const node = fresh();
    const position = await append(change(node, 'down'));
    const body = await explain({ subject: `node/${node}`, at: new Date(Date.now() + 86_400_000).toISOString() });
    expect(body.events).toMatchObject([{ position, change: { to: 'down' } }]);
  });

  it('tells of refused votes and of observers that were cut off, where nobody was told anything', async () => {
    const node = fresh();
    await around.append([
      {
        type: 'io.tocsin.vantage.diverged',
        subject: `vantage/${node}`,
        source: HEALTH_PROBE_SOURCE,
        data: { target: node, observer: 'obs-a' },
      },
      {
        type: 'io.tocsin.observer.isolated',
        subject: 'observer/obs-a',
        source: HEALTH_PROBE_SOURCE,
        data: { observer: 'obs-a' },
      },
    ]);
    const body = await explain({ subject: `node/${node}`, at: new Date().toISOString() });
    expect(body.beside.map(({ type }: { type: string }) => type)).toEqual([
      'io.tocsin.vantage.diverged',
      'io.tocsin.observer.isolated',
    ]);
  });

  it('finds an event by position and by id, and says where it has lost track of a delivery', async () => {
    const node = fresh();
    const position = await append(change(node, 'down'));
    await eventually(
      async () => (await delivery.call('GET', `/v1/deliveries/${position}-told`)).body.state === 'delivered',
      { what: 'told' },
    );
    const { body: event } = await delivery.call('GET', `/v1/explain/${position}?subscription=told`);
    expect(event.subscriptions).toMatchObject([{ outcome: 'delivered', delivery: `${position}-told` }]);
    await around.settledUpTo(position);
    await around.database.query(`BEGIN; ALTER TABLE delivery.attempt DISABLE TRIGGER USER;
      DELETE FROM delivery.attempt WHERE position = ${position}; ALTER TABLE delivery.attempt ENABLE ALWAYS TRIGGER attempt_append_only; COMMIT`);
    const { body: lost } = await delivery.call('GET', `/v1/explain/${event.id}?subscription=told`);
    expect(lost.subscriptions).toMatchObject([{ outcome: 'unaccounted' }]);
    expect((await delivery.call('GET', '/v1/explain/9999999')).status).toBe(404);
    expect((await delivery.call('GET', '/v1/explain')).status).toBe(422);
    expect((await delivery.call('GET', '/v1/explain?subject=a&at=3:12')).status).toBe(422);
  });
});
