import { join } from 'node:path';
import { startPostgres } from '@tocsin/embedded';
import { testDatabase, testFolder, type TestDatabase } from '@tocsin/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { listen } from './listen.js';

let own: TestDatabase;
beforeAll(async () => {
  own = await testDatabase();
});

describe('listen', () => {
  it('passes on the payloads of its channel, from the moment it resolves', async () => {
    const heard: (string | undefined)[] = [];
    const channel = 'Sp"ec';
    const listening = await listen({
      url: own.url,
      applicationName: 'l',
      channel,
      onNotify: (payload) => heard.push(payload),
    });
    await own.query('SELECT pg_notify($1, $2), pg_notify($3, $2)', [channel, 'one', 'other']);
    await own.query('SELECT pg_notify($1, NULL)', [channel]);
    await expect.poll(() => heard).toEqual(['one', '']);
    await listening.close();
    await expect.poll(() => own.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'l'`)).toEqual([]);
  });

  it('connects again after a cut, and says that something may have been missed', async () => {
    const heard: (string | undefined)[] = [];
    const errors: unknown[] = [];
    const listening = await listen({
      ...{ url: own.url, applicationName: 'cut', channel: 'cut' },
      onNotify: (payload) => heard.push(payload),
      onError: (error) => errors.push(error),
    });
    await own.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'`);
    await expect.poll(() => heard).toEqual([undefined]);
    expect(errors).toHaveLength(1);
    await own.query(`NOTIFY cut, 'again'`);
    await expect.poll(() => heard).toEqual([undefined, 'again']);
    await listening.close();
  });

  it('waits for a server that is not there yet', async () => {
    const dataDir = join(await testFolder(), 'later');
    const first = await startPostgres({ dataDir, durability: 'fast' });
    await first.stop();
    const heard: (string | undefined)[] = [];
    const listening = await listen({
      ...{ url: first.url, applicationName: 'early', channel: 'early' },
      onNotify: (payload) => heard.push(payload),
    });
    const server = await startPostgres({ dataDir, durability: 'fast', port: first.port });
    await expect.poll(() => heard, { timeout: 15_000 }).toEqual([undefined]);
    await listening.close();
    await server.stop();
  });

  it('can be closed while there is no server', async () => {
    const errors: unknown[] = [];
    const listening = await listen({
      ...{ url: 'postgres://u:p@127.0.0.1:1/x', applicationName: 'never', channel: 'never' },
      onNotify: () => undefined,
      onError: (error) => errors.push(error),
    });
    expect(errors).toHaveLength(1);
    await listening.close();
  });
});
