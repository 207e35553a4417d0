import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { FakeNode, Receiver } from '@tocsin/testing';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inState, subscribe, told, watch } from '../harness/fleet.js';
import { Installation, TOPOLOGIES } from '../harness/installation.js';

describe.each(TOPOLOGIES)('an outage, %s', (topology) => {
  let tocsin: Installation;
  let node: FakeNode;
  let receiver: Receiver;

  beforeEach(async () => {
    [tocsin, node, receiver] = await Promise.all([Installation.create(topology), FakeNode.start(), Receiver.start()]);
    await tocsin.start();
  });

  afterEach(async () => {
    await Promise.all([tocsin.destroy(), node.close(), receiver.close()]);
  });

  it('is told once, its end is told once, in order, signed, with one episode', async () => {
    await watch(tocsin, 'a', node.url);
    receiver.secrets = [await subscribe(tocsin, 's', receiver.url)];
    await inState(tocsin, 'a', 'up');

    await node.down();
    const [offline] = await receiver.waitFor(1, 20_000);
    await inState(tocsin, 'a', 'down');
    await node.up();
    const [, online] = await receiver.waitFor(2, 20_000);
    await inState(tocsin, 'a', 'up');
    // Whatever would be told twice has had its time.
    await sleep(3_000);

    expect(told(receiver.requests)).toEqual(['offline node/a', 'online node/a']);
    expect(receiver.requests.map((request) => request.verified)).toEqual([true, true]);
    const [down, up] = [offline?.json, online?.json] as {
      episode: string;
      position: number;
      sequence: number;
      id: string;
    }[];
    expect(up?.episode).toBe(down?.episode);
    expect([down?.sequence, up?.sequence]).toEqual([1, 2]);
    expect(offline?.headers['webhook-id']).toBe(down?.id);
    expect(offline?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');

    const events = await tocsin.events();
    expect(events.map((event) => event.position)).toEqual(events.map((_event, index) => index + 1));
    const health = events.filter((event) => event.subject === 'node/a');
    expect(health.map((event) => event.type)).toEqual(['io.tocsin.node.offline', 'io.tocsin.node.online']);
    expect(health.map((event) => event.id)).toEqual([down?.id, up?.id]);

    const { body } = await tocsin.call('GET', '/v1/deliveries?subscription=s');
    expect(body.items.map((entry: { state: string; attempts: number }) => [entry.state, entry.attempts])).toEqual([
      ['delivered', 1],
      ['delivered', 1],
    ]);
  });

  it('that ends while everything is dead is closed by exactly one online, and not opened again', async () => {
    await watch(tocsin, 'a', node.url);
    receiver.secrets = [await subscribe(tocsin, 's', receiver.url)];
    await inState(tocsin, 'a', 'up');
    await node.down();
    await receiver.waitFor(1, 20_000);

    await tocsin.kill9();
    await node.up();
    await tocsin.start();

    await receiver.waitFor(2, 30_000);
    await inState(tocsin, 'a', 'up');
    await sleep(3_000);
    // The offline may come again if it was in flight at the kill, but then with the id it had.
    const ids = new Set(receiver.requests.map((request) => request.headers['webhook-id']));
    expect(ids.size).toBe(2);
    expect(told(receiver.requests).filter((line) => line.startsWith('online'))).toEqual(['online node/a']);
    const episodes = receiver.requests.map((request) => (request.json as { episode: string }).episode);
    expect(new Set(episodes).size).toBe(1);
  });

  it('that is still there after everything was killed is not told again', async () => {
    await watch(tocsin, 'a', node.url);
    await subscribe(tocsin, 's', receiver.url);
    await inState(tocsin, 'a', 'up');
    await node.down();
    await receiver.waitFor(1, 20_000);
    await inState(tocsin, 'a', 'down');
    await sleep(500);

    await tocsin.kill9();
    await tocsin.start();
    await sleep(4_000);
    expect(told(receiver.requests)).toEqual(['offline node/a']);
    await inState(tocsin, 'a', 'down');
  });

  it('reaches a receiver that answered 503 for twenty seconds, beginning and end, in order', async () => {
    await watch(tocsin, 'a', node.url);
    receiver.secrets = [await subscribe(tocsin, 's', receiver.url)];
    await inState(tocsin, 'a', 'up');
    receiver.respond({ status: 503 });
    const until = Date.now() + 20_000;
    await node.down();
    await inState(tocsin, 'a', 'down');
    await node.up();
    await inState(tocsin, 'a', 'up');
    await sleep(until - Date.now());
    const refused = receiver.requests.length;
    receiver.respond({ status: 200 });
    await receiver.waitFor(refused + 2, 60_000);
    expect(told(receiver.requests.slice(refused))).toEqual(['offline node/a', 'online node/a']);
    expect(told(receiver.requests.slice(0, refused)).every((line) => line === 'offline node/a')).toBe(true);
    const ids = receiver.requests.slice(0, refused + 1).map((request) => request.headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
  });

  it('goes on without loss when the JetStream store was deleted between two starts', async () => {
    await watch(tocsin, 'a', node.url);
    await subscribe(tocsin, 's', receiver.url);
    await inState(tocsin, 'a', 'up');
    await node.down();
    await receiver.waitFor(1, 20_000);
    await inState(tocsin, 'a', 'down');

    await tocsin.stop();
    await tocsin.wipeJetStream();
    await tocsin.start();
    await node.up();
    await receiver.waitFor(2, 30_000);
    await inState(tocsin, 'a', 'up');
    expect(told(receiver.requests)).toEqual(['offline node/a', 'online node/a']);
    const events = await tocsin.events();
    expect(events.map((event) => event.position)).toEqual(events.map((_event, index) => index + 1));
    // The stream, refilled, has every event at the sequence that is its position.
    expect(await streamed(await tocsin.natsUrl(), events.length)).toEqual(events.map((event) => event.id));
  });
});

describe('a standalone process whose database was thrown away', () => {
  it('begins a new log, and the stream of the old one does not stand in its way', async () => {
    const [tocsin, node] = await Promise.all([Installation.create('standalone'), FakeNode.start()]);
    try {
      await tocsin.start();
      await watch(tocsin, 'a', node.url);
      await inState(tocsin, 'a', 'up');
      await tocsin.stop();
      await rm(join(tocsin.folder, 'data/postgres'), { recursive: true });
      await tocsin.start();
      expect(await tocsin.events()).toEqual([]);
      await watch(tocsin, 'b', node.url);
      await inState(tocsin, 'b', 'up');
      const events = await tocsin.events();
      expect(await streamed(await tocsin.natsUrl(), events.length)).toEqual(events.map((event) => event.id));
    } finally {
      await Promise.all([tocsin.destroy(), node.close()]);
    }
  });
});

/** Ids of the first `count` events as JetStream has them, by sequence; fails where a sequence is not the event's position. */
async function streamed(servers: string, count: number): Promise<string[]> {
  const url = new URL(servers);
  const nats = await connect({ servers: url.host, user: url.username, pass: url.password });
  try {
    const manager = await jetstreamManager(nats);
    const ids: string[] = [];
    for (let sequence = 1; sequence <= count; sequence += 1) {
      const message = await manager.streams.getMessage('EVENTS', { seq: sequence });
      const event = message?.json<{ id: string; position: number }>();
      expect([message?.seq, event?.position]).toEqual([sequence, sequence]);
      ids.push(event?.id ?? '');
    }
    return ids;
  } finally {
    await nats.close();
  }
}
