import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import type { Watch } from './key-value-watch.js';
import type { KeyValue } from './key-value.js';
import { linkOf } from './link-registry.js';
import { eventually, NatsUnderTest } from './jetstream.harness.js';

let nats: NatsUnderTest;
let broker: Broker;
const watches: Watch[] = [];

beforeEach(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
});

afterEach(async () => {
  await Promise.all(watches.splice(0).map((watch) => watch.close()));
  await nats.dispose();
});

/** What a watch told, one line each. */
function watched(kv: KeyValue): string[] {
  const told: string[] = [];
  watches.push(
    kv.watch({
      onPut: ({ key, value }) => void told.push(`put ${key} ${JSON.stringify(value)}`),
      onDelete: (key) => void told.push(`delete ${key}`),
      onSynced: () => void told.push('synced'),
      onReset: () => void told.push('reset'),
    }),
  );
  return told;
}

const says = (told: string[], ...lines: string[]) =>
  eventually(`told ${lines.join(', ')}, is ${told.join(', ')}`, () => JSON.stringify(told) === JSON.stringify(lines));

describe('KeyValue', () => {
  it('keeps JSON values under any key', async () => {
    const kv = await broker.kv('things');
    const keys = ['plain', 'dotted.name', 'a b', 'grün/ä', '=', '*', '>', '$KV.x'];
    for (const key of keys) await kv.put(key, { key });
    for (const key of keys) expect(await kv.get(key)).toMatchObject({ key, value: { key } });
    expect(await kv.keys()).toEqual(keys.toSorted());
    expect(await kv.get('none')).toBeUndefined();
    await expect(kv.put('', 1)).rejects.toMatchObject({ code: 'TCN_INVALID' });
  });

  it('deletes', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    await kv.put('b', 2);
    await kv.delete('a');
    await kv.delete('never-there');
    expect(await kv.get('a')).toBeUndefined();
    expect(await kv.keys()).toEqual(['b']);
  });

  it('lists nothing in an empty bucket', async () => {
    expect(await (await broker.kv('things')).keys()).toEqual([]);
  });

  it('writes only at the revision given', async () => {
    const kv = await broker.kv('things');
    const first = await kv.put('a', 1, { revision: 0 });
    await expect(kv.put('a', 2, { revision: 0 })).rejects.toMatchObject({ code: 'TCN_PRECONDITION_FAILED' });
    const second = await kv.put('a', 2, { revision: first });
    expect(second).toBeGreaterThan(first);
    await expect(kv.put('a', 3, { revision: first })).rejects.toMatchObject({ code: 'TCN_PRECONDITION_FAILED' });
    await expect(kv.delete('a', { revision: first })).rejects.toMatchObject({ code: 'TCN_PRECONDITION_FAILED' });
    expect(await kv.get('a')).toEqual({ key: 'a', value: 2, revision: second });
    await kv.delete('a', { revision: second });
    await kv.put('a', 4, { revision: 0 });
    expect(await kv.get('a')).toMatchObject({ value: 4 });
  });

  it('tells what is there, that this was all, and what changes', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    await kv.put('b', 2);
    await kv.put('a', 3);
    const told = watched(kv);
    await says(told, 'put b 2', 'put a 3', 'synced');
    await kv.put('c.d', 4);
    await kv.delete('a');
    await says(told, 'put b 2', 'put a 3', 'synced', 'put c.d 4', 'delete a');
  });

  it('is synced at once with an empty bucket', async () => {
    await says(watched(await broker.kv('things')), 'synced');
  });

  it('lets entries expire, and tells those who watch', async () => {
    const kv = await broker.kv('beats', { ttlMs: 1_000, storage: 'memory' });
    const told = watched(kv);
    await says(told, 'synced');
    await kv.put('observer', 1);
    await says(told, 'synced', 'put observer 1', 'delete observer');
    expect(await kv.get('observer')).toBeUndefined();
    expect(await kv.keys()).toEqual([]);
  });

  it('brings a bucket that was made with another life span to the one given', async () => {
    const kv = await broker.kv('beats', { ttlMs: 3_600_000 });
    await kv.put('observer', 1);
    const told = watched(await broker.kv('beats', { ttlMs: 1_000 }));
    await eventually('expired', () => told.includes('delete observer'));
    // Who does not say how long entries live leaves it as it is.
    await broker.kv('beats');
    expect((await linkOf(broker).manager.streams.info('KV_beats')).config.max_age).toBe(1_000_000_000);
  });

  it('calls listeners one at a time, and tells everything again after one has failed', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    await kv.put('b', 2);
    let running = 0;
    let most = 0;
    let failures = 1;
    const told: string[] = [];
    const errors: unknown[] = [];
    watches.push(
      kv.watch({
        onPut: async ({ key }) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 5));
          running--;
          if (key === 'b' && failures-- > 0) throw new Error('not now');
          told.push(key);
        },
        onDelete: () => undefined,
        onSynced: () => void told.push('synced'),
        onReset: () => void told.push('reset'),
        onError: (error) => errors.push(error),
      }),
    );
    await says(told, 'a', 'reset', 'a', 'b', 'synced');
    expect(most).toBe(1);
    expect(errors).toMatchObject([{ message: 'not now' }]);
  });

  it('tells everything again after a lost connection', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    const told = watched(kv);
    await says(told, 'put a 1', 'synced');
    await nats.kill();
    await nats.revive();
    await says(told, 'put a 1', 'synced', 'reset', 'put a 1', 'synced');
    await kv.put('b', 2);
    await says(told, 'put a 1', 'synced', 'reset', 'put a 1', 'synced', 'put b 2');
  });

  it('makes a lost bucket anew, says so, and can be filled again by whoever owns it', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    const told = watched(kv);
    await says(told, 'put a 1', 'synced');
    await nats.kill();
    await nats.wipe();
    await nats.revive();
    await says(told, 'put a 1', 'synced', 'reset', 'synced');
    await kv.put('a', 1);
    await says(told, 'put a 1', 'synced', 'reset', 'synced', 'put a 1');
  });

  it('notices that an administrator has deleted the bucket', async () => {
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    const told = watched(kv);
    await says(told, 'put a 1', 'synced');
    await linkOf(broker).manager.streams.delete('KV_things');
    await says(told, 'put a 1', 'synced', 'reset', 'synced');
  });

  it('reads, writes and lists on a bucket that is gone as on an empty one', async () => {
    const { streams } = linkOf(broker).manager;
    const kv = await broker.kv('things');
    await kv.put('a', 1);
    await streams.delete('KV_things');
    expect(await kv.get('a')).toBeUndefined();
    await streams.delete('KV_things');
    expect(await kv.keys()).toEqual([]);
    await streams.delete('KV_things');
    await kv.put('b', 2, { revision: 0 });
    expect(await kv.keys()).toEqual(['b']);
  });

  it('tells nothing more once its watch is closed', async () => {
    const kv = await broker.kv('things');
    const told = watched(kv);
    await says(told, 'synced');
    await watches.pop()?.close();
    await kv.put('a', 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(told).toEqual(['synced']);
  });
});
