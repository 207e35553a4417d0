import { testDatabase } from '@tocsin/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ping } from './ping.js';

let client: Client;

beforeAll(async () => {
  client = new Client((await testDatabase()).url);
  await client.connect();
});

afterAll(() => client.end());

describe('ping', () => {
  it('takes the answer of a server that was faster than this process, which stood still', async () => {
    const asked = ping(client, 100);
    const endMs = performance.now() + 400;
    while (performance.now() < endMs);
    await asked;
  });

  it('gives up on a server that does not answer in time', async () => {
    const busy = client.query('SELECT pg_sleep(0.5)');
    await expect(ping(client, 100)).rejects.toThrow('did not answer within 100 ms');
    await busy;
  });
});
