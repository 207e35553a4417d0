import { describe, expect, it, vi } from 'vitest';
import { Backoff, orAborted, pause, Wakeup } from './waiting.js';

const never = new AbortController().signal;

describe('Wakeup', () => {
  it('ends a wait when woken, and says so', async () => {
    const wakeup = new Wakeup();
    const waiting = wakeup.wait(60_000, never);
    wakeup.wake();
    expect(await waiting).toBe(true);
  });

  it('keeps one nudge for the next wait only', async () => {
    vi.useFakeTimers();
    try {
      const wakeup = new Wakeup();
      wakeup.wake();
      wakeup.wake();
      expect(await wakeup.wait(1_000, never)).toBe(true);
      const second = wakeup.wait(1_000, never);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await second).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends a wait when aborted', async () => {
    const abort = new AbortController();
    const waiting = new Wakeup().wait(60_000, abort.signal);
    abort.abort();
    expect(await waiting).toBe(false);
    await pause(60_000, abort.signal);
  });
});

describe('orAborted', () => {
  it('gives the result, or the reason of the abort as soon as there is one', async () => {
    expect(await orAborted(Promise.resolve(1), never)).toBe(1);
    const abort = new AbortController();
    const waiting = orAborted(new Promise(() => undefined), abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(orAborted(Promise.resolve(1), abort.signal)).resolves.toBe(1);
    await expect(orAborted(new Promise(() => undefined), abort.signal)).rejects.toThrow('enough');
  });
});

describe('Backoff', () => {
  it('doubles up to its limit, shortened by up to half, and starts again after a reset', () => {
    const longest = new Backoff(100, 450, () => 1);
    expect([longest.next(), longest.next(), longest.next(), longest.next()]).toEqual([100, 200, 400, 450]);
    longest.reset();
    expect(longest.next()).toBe(100);
    expect(new Backoff(100, 450, () => 0).next()).toBe(50);
  });
});
