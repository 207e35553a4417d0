import { JETSTREAM, PROBE_RPC } from '@tocsin/contracts';
import { heartbeatTokenHash } from '@tocsin/domain';
import type { Serving } from '@tocsin/jetstream';
import { eventually } from '@tocsin/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Stage, startStage } from './registry.harness.js';

const HEARTBEAT = { kind: 'node', check: { type: 'heartbeat', interval: '10s' } };
const TOKEN = /^hb_[A-Za-z0-9_-]{43}$/;

let registry: Stage;

beforeAll(async () => {
  registry = await startStage();
});

afterAll(() => registry?.close());

interface Known {
  hash: string;
  notAfter?: number;
}

/** What observers know of a target's tokens, once they know as many. */
async function tokensOf(name: string, count: number): Promise<Known[]> {
  const bucket = await registry.broker.kv(JETSTREAM.targetsBucket);
  let tokens: Known[] = [];
  await eventually(
    async () => {
      const value = (await bucket.get(name))?.value as { heartbeat?: { tokens: Known[] } } | undefined;
      tokens = value?.heartbeat?.tokens ?? [];
      return tokens.length === count;
    },
    { what: `${count} tokens of ${name} are known to the observers` },
  );
  return tokens;
}

describe('a heartbeat', () => {
  it('is declared with a token that is shown once; observers and the log know its hash alone', async () => {
    const created = await registry.call('PUT', '/v1/targets/hb-1', HEARTBEAT);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ token: expect.stringMatching(TOKEN), check: { grace: '0s' } });
    const { token } = created.body;
    expect(await tokensOf('hb-1', 1)).toEqual([{ hash: heartbeatTokenHash(token) }]);

    expect((await registry.call('GET', '/v1/targets/hb-1')).body).not.toHaveProperty('token');
    expect((await registry.call('PUT', '/v1/targets/hb-1', HEARTBEAT)).body).not.toHaveProperty('token');
    expect(JSON.stringify(registry.recorder.events)).not.toContain(token);
  });

  it('keeps its token when its declaration changes, and its kind', async () => {
    const { token } = (await registry.call('PUT', '/v1/targets/hb-2', HEARTBEAT)).body;
    const patched = await registry.call('PATCH', '/v1/targets/hb-2', { labels: { site: 'fra' } });
    expect(patched.body).not.toHaveProperty('token');
    const moved = await registry.call('PUT', '/v1/targets/hb-2', { ...HEARTBEAT, kind: 'gateway' });
    expect(moved.body).not.toHaveProperty('token');
    expect(await tokensOf('hb-2', 1)).toEqual([{ hash: heartbeatTokenHash(token) }]);
  });

  it('has none while it is another check, and a new one afterwards', async () => {
    const { token } = (await registry.call('PUT', '/v1/targets/hb-3', HEARTBEAT)).body;
    const tcp = { type: 'tcp', host: 'edge.example.net', port: 1 };
    await registry.call('PUT', '/v1/targets/hb-3', { kind: 'node', check: tcp });
    expect(await tokensOf('hb-3', 0)).toEqual([]);
    const again = (await registry.call('PUT', '/v1/targets/hb-3', HEARTBEAT)).body;
    expect(again.token).toMatch(TOKEN);
    expect(again.token).not.toBe(token);
  });

  it('says nothing of a token where it is only tried', async () => {
    const dry = await registry.call('PUT', '/v1/targets/hb-4?dryRun=true', HEARTBEAT);
    expect(dry.body).not.toHaveProperty('token');
    expect((await registry.call('GET', '/v1/targets/hb-4')).status).toBe(404);
  });

  it('is declared by apply with the tokens of those that are new', async () => {
    const body = { targets: ['hb-5', 'hb-6'].map((name) => ({ name, ...HEARTBEAT })) };
    expect((await registry.call('POST', '/v1/apply', { ...body, dryRun: true })).body.tokens).toEqual({});
    const done = await registry.call('POST', '/v1/apply', body);
    expect(done.body.tokens).toEqual({ 'hb-5': expect.stringMatching(TOKEN), 'hb-6': expect.stringMatching(TOKEN) });
    expect((await registry.call('POST', '/v1/apply', body)).body.tokens).toEqual({});
    expect(await tokensOf('hb-6', 1)).toEqual([{ hash: heartbeatTokenHash(done.body.tokens['hb-6']) }]);
  });

  it('is restored with its tokens when the projection is made anew', async () => {
    const { body } = await registry.call('POST', '/v1/registry/rebuild');
    expect(body.tables).toContainEqual(expect.objectContaining({ table: 'target', changed: false }));
  });
});

describe('rotating a token', () => {
  it('makes a new one and lets the old one be taken for the overlap', async () => {
    const { token } = (await registry.call('PUT', '/v1/targets/rot-1', HEARTBEAT)).body;
    const before = Date.now();
    const rotated = await registry.call('POST', '/v1/targets/rot-1/rotate-token', { overlap: '1h' });
    expect(rotated.status).toBe(200);
    expect(rotated.body.token).toMatch(TOKEN);
    const [fresh, old] = await tokensOf('rot-1', 2);
    expect(fresh).toEqual({ hash: heartbeatTokenHash(rotated.body.token) });
    expect(old?.hash).toBe(heartbeatTokenHash(token));
    expect(old?.notAfter).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(old?.notAfter).toBeLessThanOrEqual(Date.now() + 3_600_000);
  });

  it('ends all others at once where no overlap is wanted', async () => {
    await registry.call('PUT', '/v1/targets/rot-2', HEARTBEAT);
    await registry.call('POST', '/v1/targets/rot-2/rotate-token');
    const rotated = await registry.call('POST', '/v1/targets/rot-2/rotate-token', { overlap: '0s' });
    expect(await tokensOf('rot-2', 1)).toEqual([{ hash: heartbeatTokenHash(rotated.body.token) }]);
  });

  it('is refused for what has no token, is not there, or has had too many', async () => {
    await registry.call('PUT', '/v1/targets/rot-3', { kind: 'node', check: { type: 'tcp', host: 'a.test', port: 1 } });
    expect((await registry.call('POST', '/v1/targets/rot-3/rotate-token')).body.code).toBe('TCN_CONFLICT');
    expect((await registry.call('POST', '/v1/targets/nobody/rotate-token')).status).toBe(404);
    expect((await registry.call('POST', '/v1/targets/rot-1/rotate-token', { overlap: '8d' })).status).toBe(422);
    const statuses = [];
    for (let turn = 0; turn < 3; turn += 1) {
      statuses.push((await registry.call('POST', '/v1/targets/rot-1/rotate-token')).status);
    }
    expect(statuses).toEqual([200, 409, 409]);
  });
});

describe('an ICMP check', () => {
  const icmp = { kind: 'node', check: { type: 'icmp', host: '192.0.2.1' } };
  let observers: Serving | undefined;

  /** Observers that were told to make ICMP checks. */
  async function observersSay(answer: { reason?: string }): Promise<void> {
    observers = registry.broker.serve(PROBE_RPC.icmp, { schema: z.object({}), handle: () => Promise.resolve(answer) });
    await observers.ready;
  }

  afterEach(async () => {
    await observers?.close();
    observers = undefined;
  });

  it('is refused where no observer makes any, and where none can, with where and why', async () => {
    const off = await registry.call('PUT', '/v1/targets/icmp-1', icmp);
    expect([off.status, off.body.code]).toEqual([422, 'TCN_INVALID']);
    const pointed = { pointer: '/check/type', detail: expect.stringContaining('ICMP checks are off') };
    expect(off.body.errors).toEqual([pointed]);

    await observersSay({ reason: 'ping does not reach this machine itself (ENOENT)' });
    const unable = await registry.call('POST', '/v1/apply', {
      targets: [{ name: 'icmp-1', kind: 'node', check: { type: 'heartbeat', active: icmp.check } }],
    });
    expect(unable.body.errors).toEqual([
      {
        pointer: '/targets/0/check/active/type',
        detail: 'ICMP checks are not possible: ping does not reach this machine itself (ENOENT)',
      },
    ]);
    expect((await registry.call('GET', '/v1/targets/icmp-1')).status).toBe(404);
  });

  it('is taken where there are some, and stays as it is when there are none any more', async () => {
    await observersSay({});
    expect((await registry.call('PUT', '/v1/targets/icmp-2', icmp)).status).toBe(201);
    await observers?.close();
    expect((await registry.call('PUT', '/v1/targets/icmp-2', icmp)).status).toBe(200);
  });
});
