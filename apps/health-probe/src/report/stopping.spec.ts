import { describe, expect, it } from 'vitest';
import { Stopping } from './stopping.js';

describe('a stop', () => {
  const never = new Promise<void>(() => undefined);

  it('ends the waiting for what does not end', async () => {
    const stopping = new Stopping();
    const waiting = [stopping.orUntil(never), stopping.orUntil(never)];
    expect(stopping.waiting).toBe(2);
    stopping.begin();
    await Promise.all(waiting);
    await stopping.orUntil(never);
    expect(stopping.waiting).toBe(0);
  });

  it('remembers nobody who has what he waited for, however long it does not come', async () => {
    const stopping = new Stopping();
    await Promise.all(Array.from({ length: 100 }, () => stopping.orUntil(Promise.resolve('done'))));
    expect(stopping.waiting).toBe(0);
  });

  it('hands on what the work fails with', async () => {
    const stopping = new Stopping();
    await expect(stopping.orUntil(Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(stopping.waiting).toBe(0);
  });

  it('makes nobody’s failure of what fails afterwards', async () => {
    const stopping = new Stopping();
    const { promise, reject } = Promise.withResolvers<never>();
    const waiting = stopping.orUntil(promise);
    stopping.begin();
    await waiting;
    reject(new Error('too late'));
    await expect(promise).rejects.toThrow('too late');
  });
});
