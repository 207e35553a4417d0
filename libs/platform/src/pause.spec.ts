import { expect, it } from 'vitest';
import { pause } from './pause.js';

const tookMs = async (waiting: Promise<void>): Promise<number> => {
  const startedMs = performance.now();
  await waiting;
  return performance.now() - startedMs;
};

it('lasts as long as said', async () => {
  expect(await tookMs(pause(30))).toBeGreaterThan(25);
});

it('ends without an error where it is aborted, before or meanwhile', async () => {
  const abort = new AbortController();
  const meanwhile = tookMs(pause(60_000, abort.signal));
  abort.abort();
  expect(await meanwhile).toBeLessThan(10_000);
  expect(await tookMs(pause(60_000, abort.signal))).toBeLessThan(10_000);
});
