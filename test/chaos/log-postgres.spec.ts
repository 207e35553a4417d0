import { join } from 'node:path';
import { startPostgres } from '@tocsin/embedded';
import { TcpProxy } from '@tocsin/testing';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { LogInstallation, randomPause } from './log.harness.js';

let log: LogInstallation;

beforeEach(async () => {
  log = await LogInstallation.start();
});

afterEach(() => log.stop());

describe('Postgres under the log', () => {
  it('killed with -9 twice under load: what was acknowledged is there, recording goes on by itself', async () => {
    const recorders = [await log.recorder(), await log.recorder()];
    const producers = log.load(() => recorders, 24);
    for (let round = 0; round < 2; round += 1) {
      await producers.progress(200);
      await randomPause(0, 500);
      const { port } = log.postgres;
      log.postgres.kill9();
      await log.postgres.exited;
      await randomPause(0, 1_000);
      log.postgres = await startPostgres({ dataDir: join(log.folder, 'postgres'), durability: 'fast', port });
      await producers.progress(200);
    }
    await producers.stop();
    await log.check(recorders[0]!);
  });

  it('every connection cut, five times under load: nothing lost, doubled or out of order', async () => {
    const proxy = await TcpProxy.start({ targetPort: log.postgres.port });
    try {
      const env = { TOCSIN_POSTGRES_URL: proxy.through(log.postgres.url) };
      const recorders = [await log.recorder(env), await log.recorder(env)];
      const producers = log.load(() => recorders, 24);
      for (let round = 0; round < 5; round += 1) {
        await producers.progress(150);
        await randomPause(0, 300);
        proxy.cut();
        await producers.progress(150);
      }
      await producers.stop();
      await log.check(recorders[0]!);
    } finally {
      await proxy.close();
    }
  });
});
