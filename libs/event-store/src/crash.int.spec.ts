import { join } from 'node:path';
import type { Appended } from '@tocsin/contracts';
import { isTocsinError } from '@tocsin/domain';
import { startPostgres } from '@tocsin/embedded';
import { Database } from '@tocsin/postgres';
import { testFolder } from '@tocsin/testing';
import { expect, it } from 'vitest';
import { Appender } from './appender.js';
import { LOG_DATABASE } from './log-database.js';
import { clock, findings, newEvent } from './log.harness.js';
import { PostgresLog } from './postgres-log.js';

it('has every acknowledged append after Postgres was killed, whole, and nothing by halves', async () => {
  const dataDir = join(await testFolder(), 'crash');
  let server = await startPostgres({ dataDir });
  const { port } = server;
  const database = await Database.open({ ...LOG_DATABASE, url: server.url, applicationName: 'crash' });
  const log = new PostgresLog({ database });
  const appender = new Appender({ database, clock });
  await appender.becomeLeader();

  const acknowledged: { id: string; position: number }[][] = [];
  const unanswered: string[][] = [];
  let crashing = true;
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    while (crashing) {
      const events = Array.from({ length: 1 + (writer % 4) }, () => newEvent());
      const answer = await appender.append({ events }).catch((error: unknown) => {
        // The only honest answer to a connection that died: it may or may not have been recorded.
        expect(isTocsinError(error, 'TCN_UNAVAILABLE')).toBe(true);
        return undefined;
      });
      if (answer === undefined) unanswered.push(events.map(({ id }) => id));
      else acknowledged.push(answer.map(({ id, position }: Appended) => ({ id, position })));
    }
  });
  for (let crash = 0; crash < 3; crash += 1) {
    const target = acknowledged.length + 200;
    await expect.poll(() => acknowledged.length, { timeout: 30_000 }).toBeGreaterThan(target);
    server.kill9();
    await server.exited;
    server = await startPostgres({ dataDir, port });
  }
  crashing = false;
  await Promise.all(writers);
  expect(unanswered.length).toBeGreaterThan(0);

  const found = new Map<string, number>();
  for (let after = 0, head = 1; after < head;) {
    const page = await log.read({ after, limit: 1000 });
    for (const { id, position } of page.events) found.set(id, position);
    [after, head] = [page.next, page.head];
  }
  for (const { id, position } of acknowledged.flat()) expect([id, found.get(id)]).toEqual([id, position]);
  for (const ids of unanswered) expect(new Set(ids.map((id) => found.has(id))).size).toBe(1);
  expect(await findings(log)).toEqual([]);

  await appender.stepDown();
  await database.close();
  await server.stop();
}, 180_000);
