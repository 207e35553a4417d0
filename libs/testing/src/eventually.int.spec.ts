import { describe, expect, it } from 'vitest';
import { eventually } from './eventually.js';

describe('eventually', () => {
  it('gives the first value that is there, also a falsy one that is not false', async () => {
    const values = [undefined, null, false, 0];
    expect(await eventually(() => values.shift(), { what: 'a number', intervalMs: 1 })).toBe(0);
  });

  it('looks again after a condition that throws', async () => {
    let looks = 0;
    await eventually(
      () => {
        looks += 1;
        expect(looks).toBe(3);
        return true;
      },
      { what: 'the third look', intervalMs: 1 },
    );
    expect(looks).toBe(3);
  });

  it('says what did not happen and why the last look failed', async () => {
    const cause = new Error('still 2');
    const waiting = eventually(() => Promise.reject(cause), { what: 'three events', timeoutMs: 20, intervalMs: 5 });
    await expect(waiting).rejects.toMatchObject({ message: 'not within 20 ms: three events: still 2', cause });
  });
});
