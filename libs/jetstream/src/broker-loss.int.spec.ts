import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { blockFor, BrokerPair, failure } from './broker-pair.harness.js';
import { followLog } from './follow-log.js';
import { eventually } from './jetstream.harness.js';
import { linkOf } from './link-registry.js';

let pair: BrokerPair;
beforeAll(async () => {
  pair = await BrokerPair.start();
});
afterEach(() => pair.rest());
afterAll(() => pair.dispose());

describe('across a loss of NATS', () => {
  it('fails requests in flight at once, tells listeners, and serves again after the restart', async () => {
    const told: string[] = [];
    const offs = [pair.asking.onDisconnect(() => told.push('down')), pair.asking.onReconnect(() => told.push('up'))];
    let begun = false;
    await pair.serve('spec.lost', {
      schema: z.object({ hold: z.boolean() }),
      handle: ({ hold }) => {
        begun = true;
        return hold ? new Promise((resolve) => setTimeout(resolve, 1_000)) : Promise.resolve('here');
      },
    });
    const inFlight = failure(pair.asking.request('spec.lost', { hold: true }, { timeoutMs: 60_000 }));
    await eventually('begun', () => begun);
    await pair.nats.kill();
    expect(await inFlight).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    expect(pair.asking.connected()).toBe(false);
    await expect(pair.asking.check()).rejects.toMatchObject({ code: 'TCN_NATS_UNREACHABLE' });
    expect(await failure(pair.asking.request('spec.lost', { hold: false }, { timeoutMs: 100 }))).toMatchObject({
      code: 'TCN_UNAVAILABLE',
    });
    // Asked while it is down: waits for the connection.
    const waiting = pair.asking.request('spec.lost', { hold: false }, { timeoutMs: 30_000 }).catch(() => 'nobody yet');
    await pair.nats.revive();
    expect(['here', 'nobody yet']).toContain(await waiting);
    await eventually('both connected', () => pair.asking.connected() && pair.serving.connected());
    await pair.asking.check();
    await linkOf(pair.serving).nats.flush();
    expect(await pair.asking.request('spec.lost', { hold: false })).toBe('here');
    expect(told).toEqual(['down', 'up']);
    for (const off of offs) off();
  });

  it('notices within five seconds that the line has fallen silent, and comes back when it speaks again', async () => {
    const startedMs = performance.now();
    pair.nats.fallSilent();
    try {
      const asked = failure(pair.asking.request('spec.silent', {}, { timeoutMs: 60_000 }));
      expect(await asked).toMatchObject({ code: 'TCN_UNAVAILABLE' });
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      expect(pair.asking.connected()).toBe(false);
    } finally {
      pair.nats.speakAgain();
    }
    await eventually('both connected', () => pair.asking.connected() && pair.serving.connected());
  });

  it('takes no event loop that stood still for a silent line', async () => {
    let lost = 0;
    const off = pair.asking.onDisconnect(() => (lost += 1));
    // Longer than a silent line is borne.
    blockFor(4_600);
    await linkOf(pair.asking).nats.flush();
    expect(lost).toBe(0);
    off();
  });

  it('can be closed before what uses it: nothing hangs, nothing spins', async () => {
    const broker = await pair.nats.broker();
    const serves = broker.serve('spec.orphan', { schema: z.unknown(), handle: () => Promise.resolve(1) });
    const bucket = await broker.kv('orphans');
    let complaints = 0;
    const watch = bucket.watch({ onPut: () => undefined, onDelete: () => undefined, onError: () => complaints++ });
    const abort = new AbortController();
    const following = followLog(broker, {
      after: 0,
      onEvents: () => Promise.resolve(),
      signal: abort.signal,
      onError: () => complaints++,
    });
    await serves.ready;
    await broker.close();
    const before = complaints;
    const cpu = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(complaints - before).toBeLessThan(20);
    const spent = process.cpuUsage(cpu);
    expect((spent.user + spent.system) / 1_000).toBeLessThan(250);
    abort.abort();
    await Promise.all([following, watch.close(), serves.close()]);
  });

  it('closes while NATS is down, and fails what waits for it', async () => {
    const broker = await pair.nats.broker();
    await pair.nats.kill();
    await eventually('noticed', () => !broker.connected());
    const waiting = failure(broker.request('spec.any', {}, { timeoutMs: 60_000 }));
    await broker.close();
    expect(await waiting).toMatchObject({ code: 'TCN_UNAVAILABLE' });
    await pair.nats.revive();
    await eventually('both connected', () => pair.asking.connected() && pair.serving.connected());
  });
});
