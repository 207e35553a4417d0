import { isTocsinError, TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { newApiKey, readApiKey } from './api-key.js';
import { CallRate } from './call-rate.js';
import { ExpiringCache } from './expiring-cache.js';
import { RegistryKeyVerifier } from './registry-key-verifier.js';

class Hands {
  ms = 0;
  now = () => this.ms;
  monotonicMs = () => this.ms;
}

/** A registry that answers as it is told, and counts. */
function registry(answer: () => Promise<unknown>) {
  let asked = 0;
  let changed: ((payload: { keyId: string }) => Promise<unknown>) | undefined;
  return {
    asked: () => asked,
    change: (keyId: string) => changed?.({ keyId }),
    broker: {
      request: async () => {
        asked += 1;
        return answer();
      },
      serve: (_subject: string, options: { handle: typeof changed }) => {
        changed = options.handle;
        return { ready: Promise.resolve(), close: async () => undefined };
      },
    } as unknown as ConstructorParameters<typeof RegistryKeyVerifier>[0],
  };
}

describe('a new key', () => {
  it('can be read, and what services hand on of it is not the key', () => {
    const key = newApiKey();
    const presented = readApiKey(key);
    expect(presented).toEqual({ keyId: key.slice(4, 20), proof: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
    expect(key).not.toContain(presented?.proof);
    expect(newApiKey()).not.toBe(key);
  });

  it.each(['', 'tcn_', `${newApiKey()}x`, newApiKey().toUpperCase(), ` ${newApiKey()}`])('is not %j', (text) => {
    expect(readApiKey(text)).toBeUndefined();
  });
});

describe('the verifier that asks the registry', () => {
  const principal = { name: 'ci', role: 'editor' as const };

  it('asks once a second for a key, and once for many calls at once', async () => {
    const clock = new Hands();
    const { broker, asked } = registry(async () => ({ principal }));
    const verifier = new RegistryKeyVerifier(broker, clock).start();
    const key = newApiKey();
    expect(await Promise.all([verifier.verify(key), verifier.verify(key)])).toEqual([principal, principal]);
    clock.ms = 999;
    await verifier.verify(key);
    expect(asked()).toBe(1);
    clock.ms = 1_000;
    await verifier.verify(key);
    expect(asked()).toBe(2);
  });

  it('remembers a refusal too, and asks nobody about what is no key', async () => {
    const { broker, asked } = registry(async () => ({}));
    const verifier = new RegistryKeyVerifier(broker, new Hands()).start();
    const key = newApiKey();
    expect([await verifier.verify(key), await verifier.verify(key)]).toEqual([undefined, undefined]);
    expect(await verifier.verify('guess')).toBeUndefined();
    expect(asked()).toBe(1);
  });

  it('forgets a key that was changed', async () => {
    const { broker, asked, change } = registry(async () => ({ principal }));
    const verifier = new RegistryKeyVerifier(broker, new Hands()).start();
    const key = newApiKey();
    await verifier.verify(key);
    await change(key.slice(4, 20));
    await verifier.verify(key);
    expect(asked()).toBe(2);
  });

  it('says that it cannot say while the registry is away, and remembers nothing of it', async () => {
    let away = true;
    const { broker } = registry(async () => {
      if (away) throw new TocsinError('TCN_TIMEOUT', 'no answer');
      return { principal };
    });
    const verifier = new RegistryKeyVerifier(broker, new Hands()).start();
    const key = newApiKey();
    await expect(verifier.verify(key)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE', retryAfterMs: 1_000 });
    away = false;
    expect(await verifier.verify(key)).toEqual(principal);
  });
});

describe('what is remembered of secrets', () => {
  it('is bounded: the oldest go', () => {
    const cache = new ExpiringCache<number>({ clock: new Hands(), ttlMs: 1_000, most: 2 });
    for (const n of [1, 2, 3]) cache.put(`s${n}`, 'g', n);
    expect([cache.get('s1'), cache.get('s2'), cache.get('s3')]).toEqual([undefined, { value: 2 }, { value: 3 }]);
  });
});

describe('the rate of calls', () => {
  const refusals = async (rate: CallRate, principal: Parameters<CallRate['count']>[0], calls: number) => {
    const outcomes = await Promise.allSettled(Array.from({ length: calls }, () => rate.count(principal)));
    return outcomes.filter(({ status }) => status === 'rejected');
  };

  it('holds a key to its burst and says when to come back', async () => {
    const rate = new CallRate();
    const refused = await refusals(rate, { name: 'a', role: 'viewer', rate: { perSecond: 0.5, burst: 2 } }, 5);
    expect(refused).toHaveLength(3);
    const [{ reason }] = refused as [PromiseRejectedResult];
    expect(isTocsinError(reason, 'TCN_OVERLOADED') && reason.retryAfterMs).toBeGreaterThan(1_000);
    expect(await refusals(rate, { name: 'b', role: 'viewer', rate: { perSecond: 0.5, burst: 2 } }, 2)).toHaveLength(0);
  });

  it('follows a changed rate, and knows none for the bootstrap key', async () => {
    const rate = new CallRate();
    expect(await refusals(rate, { name: 'a', role: 'viewer', rate: { perSecond: 1 } }, 2)).toHaveLength(1);
    expect(await refusals(rate, { name: 'a', role: 'viewer', rate: { perSecond: 5 } }, 5)).toHaveLength(0);
    expect(await refusals(rate, { name: 'bootstrap', role: 'admin' }, 5_000)).toHaveLength(0);
  });
});
