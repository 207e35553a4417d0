import { SHARDS, verifyPromises } from '@tocsin/delivery';
import { TocsinError } from '@tocsin/domain';
import { startPostgres } from '@tocsin/embedded';
import { PostgresLog } from '@tocsin/event-store';
import { Database } from '@tocsin/postgres';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { LogFinding } from './log-proof.js';
import { type Verification, verification } from './promises.js';

/**
 * Checks what a standalone Tocsin has left on disk: its Postgres is started for that, and takes nothing but reading. What a kill left
 * unfinished it brings in order first, as at any start.
 * @param onProgress position, and where it ends
 * @throws TocsinError `TCN_DATA_DIR` if there is nothing, or Tocsin is running on it
 */
export async function verifyStopped(
  dataDir: string,
  onProgress: (position: number, end: number) => void,
): Promise<Verification> {
  const folder = join(resolve(dataDir), 'postgres');
  await access(folder).catch((error: unknown) => {
    throw new TocsinError('TCN_DATA_DIR', `${folder} is not there: no Tocsin has kept its data in ${dataDir}`, {
      cause: error,
    });
  });
  const server = await startPostgres({ dataDir: folder });
  try {
    const database = await Database.openReadOnly({ url: server.url, applicationName: 'tocsin verify' });
    try {
      return await verifyStore(database, onProgress);
    } finally {
      await database.close();
    }
  } finally {
    await server.stop();
  }
}

async function verifyStore(
  database: Database,
  onProgress: (position: number, end: number) => void,
): Promise<Verification> {
  const log = new PostgresLog({ database });
  const findings: LogFinding[] = [];
  let [first, head] = [1, 0];
  for await (const step of log.verify()) {
    ({ first, head } = step);
    findings.push(...step.findings);
    onProgress(step.position, head);
  }
  const stream = { skipped: 'nothing is running, so there is no broker' };
  const verdict = { ok: findings.length === 0, first, head, findings: findings.length, stream };
  for await (const line of verifyPromises({ database, log, shards: SHARDS })) {
    if (line.done === true) return verification('stopped', { verdict, findings }, line);
    onProgress(line.position, line.upTo);
  }
  throw new TocsinError('TCN_INTERNAL', 'the proof ended without a verdict');
}
