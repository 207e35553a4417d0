import { TocsinError } from '@tocsin/domain';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReadinessRegistry } from './readiness-registry.js';

describe('ReadinessRegistry', () => {
  it('is ready with nothing to check', async () => {
    expect(await new ReadinessRegistry().check()).toEqual({ status: 'ok', checks: {} });
  });

  it('takes nothing and true for fine, false, a reason or an error for not ready', async () => {
    const registry = new ReadinessRegistry();
    registry.register('nothing', () => undefined);
    registry.register('promise', async () => undefined);
    registry.register('true', () => true);
    registry.register('false', async () => false);
    registry.register('reason', () => 'not the leader');
    registry.register('thrown', () => {
      throw new Error('refused by https://u:p@h/');
    });
    registry.register('rejected', () => Promise.reject(new TocsinError('TCN_UNAVAILABLE', 'no leader')));
    expect(await registry.check()).toEqual({
      status: 'not ready',
      checks: {
        nothing: 'ok',
        promise: 'ok',
        true: 'ok',
        false: 'not ready',
        reason: 'not the leader',
        thrown: 'refused by https://***@h/',
        rejected: 'TCN_UNAVAILABLE: no leader',
      },
    });
  });

  it('holds a name for fine only if all that share it are', async () => {
    const registry = new ReadinessRegistry();
    registry.register('nats', () => true);
    registry.register('nats', () => 'lost');
    registry.register('nats', () => true);
    expect(await registry.check()).toEqual({ status: 'not ready', checks: { nats: 'lost' } });
  });

  it('forgets a check that was taken off, and only that', async () => {
    const registry = new ReadinessRegistry();
    const check = () => false;
    const takeOff = registry.register('a', check);
    registry.register('a', check);
    takeOff();
    takeOff();
    expect((await registry.check()).checks).toEqual({ a: 'not ready' });
  });

  describe('with a check that hangs', () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it('does not hang itself', async () => {
      const registry = new ReadinessRegistry();
      registry.register('hangs', () => new Promise(() => undefined));
      const checking = registry.check();
      await vi.advanceTimersByTimeAsync(1_000);
      expect((await checking).checks).toEqual({ hangs: 'no answer within 1000 ms' });
    });
  });
});
