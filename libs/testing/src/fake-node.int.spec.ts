import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeNode } from './fake-node.js';

let node: FakeNode;

beforeEach(async () => {
  node = await FakeNode.start();
});

afterEach(() => node.close());

const probe = (timeoutMs = 5000) =>
  fetch(node.url, { signal: AbortSignal.timeout(timeoutMs), headers: { connection: 'close' } }).then(
    (response) => response.status,
    (error: unknown) => {
      const { name, cause } = error as { name: string; cause?: { code?: string } };
      return cause?.code ?? name;
    },
  );

describe('FakeNode', () => {
  it('answers 200 while up, and counts', async () => {
    expect([await probe(), await probe()]).toEqual([200, 200]);
    expect(node.requests).toBe(2);
  });

  it('refuses connections while down, and is back on the same port', async () => {
    const port = node.port;
    await node.down();
    expect(await probe()).toBe('ECONNREFUSED');
    await node.up();
    expect(node.port).toBe(port);
    expect(await probe()).toBe(200);
  });

  it('never answers while hanging', async () => {
    await node.hang();
    expect(await probe(200)).toBe('TimeoutError');
    expect(node.requests).toBe(1);
  });

  it('answers with a status of failure, or late', async () => {
    await node.fail(500);
    expect(await probe()).toBe(500);
    await node.slow(150);
    const start = performance.now();
    expect(await probe()).toBe(200);
    expect(performance.now() - start).toBeGreaterThanOrEqual(140);
  });
});
