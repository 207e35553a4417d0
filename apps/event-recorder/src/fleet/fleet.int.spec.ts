import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  appendReplySchema,
  DELIVERY_TALLY_RPC,
  HEALTH_PROBE_SOURCE,
  NOISE_BUCKET,
  OBSERVERS_BUCKET,
  REGISTRY_EVENTS,
  RPC,
  TARGET_FRESH,
  TARGET_STALE,
  targetSpecSchema,
  type FleetPage,
  type NoiseReceipt,
  type WithheldPage,
} from '@tocsin/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { call, type Stage, startStage } from '../recorder.harness.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());

const REGISTRY = 'tocsin/subscription-registry';
const START_MS = Date.parse('2030-01-01T00:00:00Z');
let clockS = 0;
/** Each event became true a second after the one before. */
const tick = () => new Date(START_MS + (clockS += 1) * 1_000).toISOString();

async function append(event: { type: string; subject: string; source?: string; data: object; extensions?: object }) {
  const request = { events: [{ id: randomUUID(), source: HEALTH_PROBE_SOURCE, time: tick(), ...event }] };
  const reply = await stage.broker.request(RPC.logAppend, request, { schema: appendReplySchema, timeoutMs: 5_000 });
  const [appended] = reply.events;
  // Recording times have milliseconds, and moments are told apart by them.
  await sleep(3);
  return appended!;
}

const declare = (name: string, labels: Record<string, string> = {}, type: string = REGISTRY_EVENTS.targetRegistered) =>
  append({
    ...{ type, subject: `target/${name}`, source: REGISTRY },
    data: {
      name,
      actor: 'spec',
      spec: targetSpecSchema.parse({ kind: 'node', labels, check: { type: 'http', url: 'http://127.0.0.1/' } }),
    },
  });
const fresh = (name: string) =>
  append({
    type: TARGET_FRESH,
    subject: `target/${name}`,
    data: { name, kind: 'node', to: 'up', evidence: [word('pass')] },
  });
const word = (outcome: string) => ({ observer: 'fra-1', at: '2030-01-01T00:00:00.000Z', outcome, durationMs: 1 });
type State = 'up' | 'down';

/** A change of a target, withheld where `told` says what is known instead. */
function change(
  name: string,
  to: State,
  more: { withheld?: string; told?: State; causedby?: string; reconciles?: string } = {},
) {
  const { told, ...extensions } = more;
  return append({
    type: `io.tocsin.node.${to === 'up' ? 'online' : 'offline'}`,
    subject: `node/${name}`,
    extensions: { episode: 'ep_1', ...extensions },
    data: {
      ...{
        target: name,
        kind: 'node',
        labels: { site: 'fra' },
        from: to === 'up' ? 'down' : 'up',
        to,
        reason: 'because',
      },
      ...{ confidence: 'single', evidence: [word(to === 'up' ? 'pass' : 'fail')], confirmedAt: tick(), detectionMs: 1 },
      ...(told === undefined ? {} : { told: { state: told } }),
    },
  });
}
const marks = (name: string, fact: string) =>
  append({ type: `io.tocsin.node.${fact}`, subject: `node/${name}`, data: { target: name, kind: 'node', labels: {} } });

async function get<T>(path: string): Promise<T> {
  const response = await call(stage.url, path);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as T;
}
const recordedAt = async (position: number) =>
  (await get<{ recordedtime: string }>(`/v1/events/${position}`)).recordedtime;
const shown = async (name: string, at = '') => {
  const { items } = await get<FleetPage>(`/v1/fleet?limit=1000${at === '' ? '' : `&at=${encodeURIComponent(at)}`}`);
  return items.find((item) => item.name === name);
};

describe('the fleet', () => {
  it('shows each target as the log says, now and at every moment that was', async () => {
    const moments: [string, object | undefined][] = [];
    const at = async (appended: { position: number }, expected: object | undefined) => {
      moments.push([await recordedAt(appended.position), expected]);
    };
    await at(await declare('a', { site: 'fra' }), { state: 'pending', overlays: [], labels: { site: 'fra' } });
    await at(await fresh('a'), { state: 'up', evidence: { observer: 'fra-1', outcome: 'pass' } });
    await at(await change('a', 'down'), { state: 'down', episode: 'ep_1', evidence: { outcome: 'fail' } });
    await at(await change('a', 'up'), { state: 'up' });
    await at(await marks('a', 'maintenance-started'), { state: 'up', overlays: ['maintenance'] });
    const held = { state: 'down', overlays: ['maintenance', 'storm'], told: { state: 'up' } };
    await at(await change('a', 'down', { withheld: 'maintenance,storm', told: 'up' }), held);
    await at(await change('a', 'up', { withheld: 'maintenance,storm', told: 'up' }), { overlays: ['maintenance'] });
    await at(await marks('a', 'maintenance-ended'), { state: 'up', overlays: [] });
    await at(await marks('a', 'flapping-started'), { state: 'up', overlays: ['flapping'] });
    await at(await marks('a', 'flapping-stopped'), { state: 'up', overlays: [] });
    const stale = { type: TARGET_STALE, subject: 'target/a', data: { name: 'a', kind: 'node', labels: {} } };
    await at(await append(stale), { state: 'up', stale: true });
    await at(await fresh('a'), { state: 'up' });
    await at(await declare('a', { site: 'ams' }, REGISTRY_EVENTS.targetUpdated), { labels: { site: 'ams' } });
    const removed = { type: REGISTRY_EVENTS.targetRemoved, subject: 'target/a', source: REGISTRY };
    await at(await append({ ...removed, data: { name: 'a', actor: 'spec' } }), undefined);
    for (const [moment, expected] of moments) {
      const item = await shown('a', moment);
      if (expected === undefined) expect(item).toBeUndefined();
      else expect(item, moment).toMatchObject({ name: 'a', kind: 'node', ...expected });
    }
    const settled = await shown('a', moments[6]![0]);
    expect(settled).not.toHaveProperty('told');
    expect(await shown('a', moments[11]![0])).not.toHaveProperty('stale');
    expect(await shown('a')).toBeUndefined();
    expect(await shown('a', '2020-01-01T00:00:00Z')).toBeUndefined();
  });

  it('comes in pages, and by labels', async () => {
    for (const name of ['p-1', 'p-2', 'p-3', 'q'])
      await declare(name, { role: name.startsWith('p') ? 'page' : 'other' });
    const names: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page: FleetPage = await get<FleetPage>(
        `/v1/fleet?limit=2&labels=role=page${next === '' ? '' : `&cursor=${next}`}`,
      );
      expect(page.items.length).toBeLessThanOrEqual(2);
      names.push(...page.items.map((item) => item.name));
      next = page.next;
    }
    expect(names).toEqual(['p-1', 'p-2', 'p-3']);
  });

  it('says who watches a target now', async () => {
    await declare('w', { site: 'fra' });
    expect(await shown('w')).not.toHaveProperty('observer');
    const bucket = await stage.broker.kv(OBSERVERS_BUCKET);
    const seat = (id: string, site: string) => bucket.put(id, { id, site, instance: id, isolated: false });
    await Promise.all([seat('fra-1', 'fra'), seat('ams-1', 'ams')]);
    expect(await shown('w')).toMatchObject({ observer: 'fra-1' });
    expect(await shown('w', new Date(Date.now() + 60_000).toISOString())).not.toHaveProperty('observer');
  });

  it.each([
    ['/v1/fleet?limit=0', '/limit'],
    ['/v1/fleet?cursor=!', '/cursor'],
    ['/v1/fleet?labels=x', '/labels'],
    ['/v1/fleet?at=yesterday', '/at'],
    ['/v1/withheld?because=rain', '/because'],
    ['/v1/withheld?state=lost', '/state'],
    ['/v1/withheld?before=0', '/before'],
  ])('%s is refused', async (path, pointer) => {
    const response = await call(stage.url, path);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: 'TCN_INVALID', errors: [{ pointer }] });
  });
});

describe('what was withheld', () => {
  it('is listed with what kept it back and what released it, newest first', async () => {
    const first = await change('h', 'down', { withheld: 'maintenance', told: 'up' });
    const back = await change('h', 'up', { withheld: 'maintenance', told: 'up' });
    const again = await change('h', 'down', { withheld: 'storm,maintenance', told: 'up', causedby: 'evt_group' });
    const list = (query = '') => get<WithheldPage>(`/v1/withheld?subject=node/h${query}`);
    const { items } = await list();
    expect(items.map(({ position }) => position)).toEqual([again.position, back.position, first.position]);
    expect(items[0]).toMatchObject({
      ...{ type: 'io.tocsin.node.offline', subject: 'node/h', from: 'up', to: 'down', labels: { site: 'fra' } },
      ...{ because: ['maintenance', 'storm'], causedBy: 'evt_group', told: { state: 'up' }, episode: 'ep_1' },
    });
    expect(items[0]).not.toHaveProperty('released');
    // The truth had come back to what was told with the second.
    for (const item of items.slice(1)) expect(item.released).toMatchObject({ how: 'settled', position: back.position });
    expect((await list('&state=held')).items.map(({ position }) => position)).toEqual([again.position]);
    expect((await list('&because=storm')).items).toHaveLength(1);
    expect((await list('&labels=site=ams')).items).toEqual([]);

    const told = await change('h', 'down', { reconciles: 'storm,maintenance' });
    expect((await list('&state=held')).items).toEqual([]);
    expect((await list('&limit=1')).items[0]?.released).toEqual({
      how: 'told',
      position: told.position,
      at: await recordedAt(told.position),
    });
    const page = await list('&limit=2');
    expect(page.next).toBe(back.position);
    const rest = await list(`&limit=2&before=${page.next}`);
    expect([rest.items.map(({ position }) => position), rest.next]).toEqual([[first.position], null]);
  });
});

describe('heartbeats that were withheld', () => {
  const beat = (fact: 'lost' | 'resumed', withheld?: string, told?: boolean) =>
    append({
      ...{ type: `io.tocsin.node.heartbeat-${fact}`, subject: 'node/beating' },
      extensions: { episode: 'ep_2', ...(withheld === undefined ? {} : { withheld }) },
      data: { target: 'beating', kind: 'node', labels: { site: 'fra' }, ...(told === undefined ? {} : { told }) },
    });
  const list = async () => (await get<WithheldPage>('/v1/withheld?subject=node/beating')).items;

  it('are listed until they are told or have come again, whatever the state of the target does', async () => {
    const first = await beat('lost', 'maintenance', false);
    await change('beating', 'down');
    await change('beating', 'up');
    expect(await list()).toMatchObject([
      {
        position: first.position,
        type: 'io.tocsin.node.heartbeat-lost',
        labels: { site: 'fra' },
        because: ['maintenance'],
      },
    ]);
    expect((await list())[0]).not.toHaveProperty('released');
    expect((await list())[0]).not.toHaveProperty('from');
    const back = await beat('resumed', 'superseded', false);
    const again = await beat('lost', 'maintenance', false);
    const told = await beat('lost');
    const [third, second, oldest] = await list();
    expect(oldest).toMatchObject({ released: { how: 'settled', position: back.position } });
    expect(second).toMatchObject({ position: back.position, because: [], released: { how: 'settled' } });
    expect(third).toMatchObject({ position: again.position, released: { how: 'told', position: told.position } });
  });
});

describe('what is recorded only to be compared with', () => {
  it('is no change that was withheld', async () => {
    const before = await get<WithheldPage>('/v1/withheld');
    await append({
      ...{ type: 'io.tocsin.certificate.changed', subject: 'certificate/first', extensions: { withheld: 'first' } },
      data: { target: 'first', labels: {}, fingerprint: 'aa' },
    });
    expect((await get<WithheldPage>('/v1/withheld')).items).toEqual(before.items);
  });
});

describe('the noise receipt', () => {
  it('counts changes in the log, and adds up what the observers have kept', async () => {
    const before = await get<NoiseReceipt>('/v1/noise');
    expect(before.missing).toEqual([expect.stringContaining('deliveries: ')]);
    expect(before).not.toHaveProperty('deliveries');
    await change('n', 'down');
    await change('n', 'up', { withheld: 'flapping', told: 'down' });
    await change('n', 'up', { reconciles: 'flapping' });
    await marks('n', 'flapping-started');
    const bucket = await stage.broker.kv(NOISE_BUCKET);
    const tally = { checks: 100, local: 1, voided: 2, suspicions: 7, refused: 3 };
    await bucket.put('fra-1', { observer: 'fra-1', since: '2030-01-02T00:00:00.000Z', ...tally });
    await bucket.put('ams-1', { observer: 'ams-1', since: '2030-01-01T00:00:00.000Z', ...tally });
    const serving = stage.broker.serve(DELIVERY_TALLY_RPC, {
      schema: z.object({}),
      handle: () => Promise.resolve({ delivered: 4 }),
    });
    const receipt = await get<NoiseReceipt>('/v1/noise');
    await serving.close();
    expect(receipt).toMatchObject({
      ...{ since: '2030-01-01T00:00:00.000Z', checks: 200, local: 2, voided: 4, suspicions: 14, refused: 6 },
      transitions: before.transitions + 2,
      withheld: before.withheld + 1,
      announced: before.announced + 2,
      ...{ deliveries: 4, missing: [] },
    });
    expect(receipt.observers.map(({ observer }) => observer)).toEqual(['ams-1', 'fra-1']);
    expect(receipt.position).toBeGreaterThan(before.position);
  });
});
