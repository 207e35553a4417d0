import { TcpProxy, testDatabase, type TestDatabase } from '@tocsin/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { SessionLock, type SessionLockOptions } from './session-lock.js';

let own: TestDatabase;
let keys = 1000;
beforeAll(async () => {
  own = await testDatabase();
});

function options(over: Partial<SessionLockOptions> = {}): SessionLockOptions & { losses: (Error | undefined)[] } {
  const losses: (Error | undefined)[] = [];
  return { url: own.url, applicationName: 'lock spec', key: 1, onLost: (error) => losses.push(error), losses, ...over };
}
const nextKey = (): number => (keys += 1);
async function take(over: Partial<SessionLockOptions>): Promise<SessionLock> {
  const lock = await SessionLock.tryAcquire(options(over));
  if (lock === undefined) throw new Error('the lock is not free');
  return lock;
}

describe('SessionLock', () => {
  it('is held by one at a time, per key, and free again when released', async () => {
    const key = nextKey();
    const held = await take({ key });
    expect(await SessionLock.tryAcquire(options({ key }))).toBeUndefined();
    await (await take({ key: nextKey() })).release();
    await held.release();
    await held.release();
    await (await take({ key })).release();
  });

  it('takes keys of 64 bits', async () => {
    const key = -0x7fff_ffff_ffff_ff01n;
    const held = await take({ key });
    expect(await SessionLock.tryAcquire(options({ key }))).toBeUndefined();
    await held.release();
  });

  it('names its backend, whose end it notices once, and the lock is free', async () => {
    const key = nextKey();
    const watched = options({ key });
    const held = await take(watched);
    expect(held.held).toBe(true);
    await own.query('SELECT pg_terminate_backend($1)', [held.pid]);
    await expect.poll(() => watched.losses).toHaveLength(1);
    expect(held.held).toBe(false);
    await (await take({ key })).release();
    await held.release();
    expect(watched.losses).toHaveLength(1);
  });

  it('does not report a loss when it is released', async () => {
    const watched = options({ key: nextKey() });
    await (await take(watched)).release();
    expect(watched.losses).toEqual([]);
  });

  it('notices within seconds that the network swallows everything', async () => {
    const proxy = await TcpProxy.start({ targetPort: Number(new URL(own.url).port) });
    const watched = options({ url: proxy.through(own.url), key: nextKey() });
    const held = await take(watched);
    proxy.stall();
    await expect.poll(() => watched.losses, { timeout: 6_000 }).toHaveLength(1);
    expect(held.held).toBe(false);
    await proxy.close();
  });

  it('says which server it cannot reach', async () => {
    const nowhere = SessionLock.tryAcquire(options({ url: 'postgres://u:hushhush@127.0.0.1:1/x' }));
    await expect(nowhere).rejects.toMatchObject({
      code: 'TCN_POSTGRES_UNREACHABLE',
      message: expect.stringContaining('127.0.0.1:1/x'),
    });
  });
});
