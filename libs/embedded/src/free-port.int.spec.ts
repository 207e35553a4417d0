import { expect, it } from 'vitest';
import { freePort } from './free-port.js';

it('gives another port each time, though nobody listens on the earlier ones yet', async () => {
  // Drawn at random from 17,000, some of so many would be the same.
  const ports: number[] = [];
  while (ports.length < 1_000) ports.push(await freePort());
  expect(new Set(ports).size).toBe(1_000);
});
