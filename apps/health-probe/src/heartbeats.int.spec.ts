import { HEARTBEAT_SUBJECT } from '@tocsin/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '@tocsin/testing';
import { ObserverWorld, type RunningObserver } from './observer.harness.js';

const TOKEN = `hb_${'A'.repeat(43)}`;
const NAME = 'edge-1';

let world: ObserverWorld;

beforeEach(async () => {
  world = await ObserverWorld.start();
});
afterEach(() => world.close());

/** What an observer answers to a heartbeat over HTTP. */
async function post(url: string, body?: string, token = TOKEN): Promise<Response> {
  return fetch(`${url}/v1/heartbeats/${token}`, { method: 'POST', ...(body === undefined ? {} : { body }) });
}

/** A node that says every 100 ms that it is alive, in whichever way, until it stops. */
function beating(say: () => Promise<unknown>): { stop: () => Promise<void> } {
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    last = say().catch(() => undefined);
  }, 100);
  return {
    stop: async () => {
      clearInterval(timer);
      await last;
    },
  };
}

const overNats = (payload: unknown = {}, token = TOKEN) =>
  world.broker.request(`${HEARTBEAT_SUBJECT}.${token}`, payload, { timeoutMs: 2_000 });

describe('heartbeats over HTTP', () => {
  it('make a target fresh; their end is an outage, their return its end, once each', async () => {
    const { url } = await world.serve('fra-1');
    await world.declareHeartbeat(NAME, TOKEN);
    const node = beating(() => post(url));
    await world.facts(NAME, ['target.fresh']);
    await world.settle();
    await node.stop();
    await world.facts(NAME, ['target.fresh', 'offline']);
    await world.settle();
    const again = beating(() => post(url));
    await world.facts(NAME, ['target.fresh', 'offline', 'online']);
    await world.settle();
    await again.stop();
    const [, offline, online] = world.recorder.about(NAME);
    expect(offline).toMatchObject({
      data: { from: 'up', to: 'down', reason: expect.stringMatching(/^no heartbeat for \ds$/) },
    });
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });

  it('are taken by any observer, and answered by what became of them', async () => {
    const observers = [await world.serve('fra-1'), await world.serve('fra-2')];
    await world.declareHeartbeat(NAME, TOKEN);
    for (const { url } of observers) {
      await eventually(async () => (await post(url)).status === 204, { what: `${url} takes heartbeats` });
    }
    const { url } = observers[0]!;
    expect((await post(url, '{"status":"ok","message":"all well"}')).status).toBe(204);

    const unknown = await Promise.all([post(url, undefined, `hb_${'B'.repeat(43)}`), post(url, undefined, 'nonsense')]);
    const [one, other] = await Promise.all(unknown.map((answer) => answer.json() as Promise<Record<string, unknown>>));
    expect(unknown.map(({ status }) => status)).toEqual([404, 404]);
    expect(one).toMatchObject({ code: 'TCN_NOT_FOUND', detail: 'there is no such heartbeat' });
    expect(other?.['detail']).toBe(one?.['detail']);

    const wrong = await post(url, '{"status":"great"}');
    expect(wrong.status).toBe(422);
    expect(await wrong.json()).toMatchObject({ code: 'TCN_INVALID', errors: [{ pointer: '/status' }] });
    expect((await post(url, '{"status":')).status).toBe(400);
    expect((await post(url, JSON.stringify({ message: 'x'.repeat(5_000) }))).status).toBe(413);
  });

  it('that say fail are an outage with that reason, however well the active check does, until they say otherwise', async () => {
    const { url } = await world.serve('fra-1');
    const well = await world.node();
    const active = { type: 'http', url: well.url, interval: '200ms', fastInterval: '100ms' };
    await world.declareHeartbeat(NAME, TOKEN, { active });
    const fine = beating(() => post(url));
    await world.facts(NAME, ['target.fresh']);
    await fine.stop();
    await post(url, '{"status":"fail","message":"disk full"}');
    await world.facts(NAME, ['target.fresh', 'offline']);
    expect(world.recorder.about(NAME)[1]?.data).toMatchObject({ reason: 'the target itself says: disk full' });
    await world.settle(2_000);
    expect(world.recorder.facts(NAME)).toEqual(['target.fresh', 'offline']);
    const again = beating(() => post(url));
    await world.facts(NAME, ['target.fresh', 'offline', 'online']);
    await again.stop();
  });
});

describe('heartbeats over NATS', () => {
  it('are published or requested, and refused with a reason', async () => {
    await world.observe();
    await world.declareHeartbeat(NAME, TOKEN);
    await eventually(
      () =>
        overNats().then(
          () => true,
          () => false,
        ),
      { what: 'heartbeats are taken' },
    );
    await world.facts(NAME, ['target.fresh']);
    await expect(overNats({ status: 'great' })).rejects.toMatchObject({ code: 'TCN_INVALID' });
    await expect(overNats({}, 'hb_nobody')).rejects.toMatchObject({ code: 'TCN_NOT_FOUND' });
    expect(await overNats({ status: 'ok' })).toEqual({});
  });

  it('keep a target up, whichever observer it moves to', async () => {
    const observers: RunningObserver[] = [await world.observe('fra-1'), await world.observe('fra-2')];
    await world.declareHeartbeat(NAME, TOKEN, { interval: '1s' });
    const node = beating(() => overNats());
    await world.facts(NAME, ['target.fresh']);
    await world.end(observers[0]!);
    await world.settle(4_500);
    await node.stop();
    expect(world.recorder.facts(NAME)).toEqual(['target.fresh']);
  });
});

describe('with an active check', () => {
  it('a dead agent is told from a dead node', async () => {
    await world.observe();
    const server = await world.node();
    const active = { type: 'http', url: server.url, interval: '200ms', fastInterval: '100ms', timeout: '1s' };
    await world.declareHeartbeat(NAME, TOKEN, { active });
    const node = beating(() => overNats());
    await world.facts(NAME, ['target.fresh']);
    await node.stop();
    await world.facts(NAME, ['target.fresh', 'heartbeat-lost']);
    await world.settle();
    const again = beating(() => overNats());
    await world.facts(NAME, ['target.fresh', 'heartbeat-lost', 'heartbeat-resumed']);
    await again.stop();
    await server.down();
    await eventually(() => world.recorder.facts(NAME).includes('offline'), {
      what: 'the node is offline',
      timeoutMs: 20_000,
    });
    const facts = world.recorder.facts(NAME).slice(3);
    expect(facts.filter((fact) => fact === 'offline')).toHaveLength(1);
  });
});

describe('after a restart', () => {
  it('nothing is announced while heartbeats go on, and no recovery is lost', async () => {
    const first = await world.observe('fra-1');
    await world.declareHeartbeat(NAME, TOKEN);
    const node = beating(() => overNats());
    await world.facts(NAME, ['target.fresh']);
    await world.kill(first);
    await world.settle();
    const second = await world.observe('fra-1');
    await world.settle(2_500);
    expect(world.recorder.facts(NAME)).toEqual(['target.fresh']);
    await node.stop();
    await world.facts(NAME, ['target.fresh', 'offline']);
    await world.kill(second);

    const again = beating(() => overNats());
    await world.observe('fra-1');
    await world.facts(NAME, ['target.fresh', 'offline', 'online']);
    await world.settle();
    await again.stop();
    expect(world.recorder.facts(NAME).slice(0, 3)).toEqual(['target.fresh', 'offline', 'online']);
  });

  it('a target that has never been heard of stays pending', async () => {
    await world.observe('fra-1');
    await world.declareHeartbeat(NAME, TOKEN);
    await world.settle(3_000);
    expect(world.recorder.facts(NAME)).toEqual([]);
  });
});
