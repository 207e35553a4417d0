import { describe, expect, it } from 'vitest';
import { Pump } from './pump.js';

/** So many steps of the microtask queue. */
async function steps(count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) await undefined;
}

describe('Pump', () => {
  it('leaves nothing lying that comes in while a round ends, at whatever step', async () => {
    for (let late = 0; late < 12; late += 1) {
      const waiting = ['first'];
      const done: string[] = [];
      const pump = new Pump(async () => {
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          await steps(3);
          done.push(next);
          waiting.shift();
        }
      });
      void pump.wake();
      await steps(late);
      waiting.push('late');
      void pump.wake();
      await pump.idle();
      expect(done, `woken after ${late} steps`).toEqual(['first', 'late']);
    }
  });

  it('does one round at a time, and no more than one for all who wake it meanwhile', async () => {
    let running = 0;
    let rounds = 0;
    const pump = new Pump(async () => {
      rounds += 1;
      running += 1;
      expect(running).toBe(1);
      await steps(5);
      running -= 1;
    });
    void pump.wake();
    void pump.wake();
    await steps(3);
    for (let time = 0; time < 10; time += 1) void pump.wake();
    await pump.idle();
    expect(rounds).toBe(2);
  });

  it('may be woken by its own round', async () => {
    let left = 3;
    const pump: Pump = new Pump(async () => {
      left -= 1;
      if (left > 0) void pump.wake();
      await Promise.resolve();
    });
    await pump.wake();
    expect(left).toBe(0);
  });

  it('works again after a round that failed', async () => {
    let rounds = 0;
    const pump = new Pump(async () => {
      await Promise.resolve();
      rounds += 1;
      if (rounds === 1) throw new Error('no');
    });
    await expect(pump.wake()).rejects.toThrow('no');
    await pump.wake();
    expect(rounds).toBe(2);
  });
});
