import { systemClock } from '@tocsin/platform';
import { describe, expect, it } from 'vitest';
import { AppendGate } from './append-gate.js';

function held(): { work: () => Promise<string>; release: () => void; started: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<string>();
  let started = false;
  return {
    work: () => {
      started = true;
      return promise;
    },
    release: () => resolve('done'),
    started: () => started,
  };
}

describe('AppendGate', () => {
  it('refuses what exceeds events or bytes with a hint when to come back, and does not start it', async () => {
    const gate = new AppendGate({ events: 10, bytes: 100 }, systemClock);
    const first = held();
    const inside = gate.pass({ events: 9, bytes: 90 }, first.work);
    const refused = held();
    for (const load of [
      { events: 2, bytes: 1 },
      { events: 1, bytes: 11 },
    ]) {
      await expect(gate.pass(load, refused.work)).rejects.toMatchObject({
        code: 'TCN_OVERLOADED',
        retryAfterMs: expect.any(Number),
      });
    }
    expect(refused.started()).toBe(false);
    first.release();
    await inside;
    expect(gate.waiting).toEqual({ events: 0, bytes: 0 });
  });

  it('makes room again when work fails', async () => {
    const gate = new AppendGate({ events: 1, bytes: 1 }, systemClock);
    await expect(gate.pass({ events: 1, bytes: 1 }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate.pass({ events: 1, bytes: 1 }, async () => 'in')).toBe('in');
  });

  it('lets one request pass that is larger than the gate', async () => {
    const gate = new AppendGate({ events: 1, bytes: 1 }, systemClock);
    expect(await gate.pass({ events: 1000, bytes: 1000 }, async () => 'in')).toBe('in');
  });
});
