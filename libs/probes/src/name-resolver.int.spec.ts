import { performance } from 'node:perf_hooks';
import type { Clock } from '@tocsin/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NameResolver } from './name-resolver.js';
import { NameServer, NOERROR, SERVFAIL } from './name-server.harness.js';

describe('the name resolver', () => {
  let server: NameServer;
  let resolver: NameResolver;
  let aheadMs: number;
  const clock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() + aheadMs };

  beforeEach(async () => {
    aheadMs = 0;
    server = new NameServer();
    resolver = new NameResolver({ clock, servers: [await server.start()], hostsFile: '/nonexistent' });
    server.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 1], ttl: 300 });
  });
  afterEach(() => {
    resolver.close();
    server.stop();
  });

  it('keeps an answer for its time to live, but a minute at most', async () => {
    expect(await resolver.resolve('Edge.test.')).toEqual(['10.0.0.1']);
    aheadMs = 59_000;
    await resolver.resolve('edge.test');
    expect(server.asked).toEqual(['edge.test']);
    server.zones.set('edge.test', { rcode: NOERROR, address: [10, 0, 0, 2], ttl: 5 });
    aheadMs = 61_000;
    expect(await resolver.resolve('edge.test')).toEqual(['10.0.0.2']);
    aheadMs = 67_000;
    await resolver.resolve('edge.test');
    expect(server.asked).toHaveLength(3);
  });

  it('asks once for many that want to know at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => resolver.resolve('edge.test')));
    expect(server.asked).toEqual(['edge.test']);
  });

  it('takes a missing name for the truth about the target', async () => {
    await expect(resolver.resolve('nobody.test')).rejects.toMatchObject({
      origin: 'remote',
      message: 'nobody.test has no address',
    });
  });

  it('blames itself when its server fails, and goes on with the old address', async () => {
    await resolver.resolve('edge.test');
    aheadMs = 120_000;
    server.zones.set('edge.test', { rcode: SERVFAIL });
    server.zones.set('other.test', { rcode: SERVFAIL });
    expect(await resolver.resolve('edge.test')).toEqual(['10.0.0.1']);
    await expect(resolver.resolve('other.test')).rejects.toMatchObject({ origin: 'local' });
  });

  it('blames the zone when its server fails for that name alone', async () => {
    server.zones.set('broken.test', { rcode: SERVFAIL });
    await resolver.resolve('edge.test');
    await expect(resolver.resolve('broken.test')).rejects.toMatchObject({ origin: 'remote' });
  });

  it('blames itself when nothing answers', async () => {
    server.silent = true;
    await expect(resolver.resolve('edge.test')).rejects.toMatchObject({ origin: 'local' });
  });

  it('needs nobody for addresses and localhost', async () => {
    server.silent = true;
    expect(await resolver.resolve('::1')).toEqual(['::1']);
    expect(await resolver.resolve('localhost')).toEqual(['127.0.0.1', '::1']);
  });
});
