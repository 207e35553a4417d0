import { startPostgres } from '@tocsin/embedded';
import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Puts a new Postgres cluster into a data folder, for `startPostgres` to find, where the environment variable `TEST_POSTGRES_CLUSTER` says
 * where one may be kept to copy from. Making a cluster costs ten times what copying it costs, and a run of all tests needs more than a hundred.
 * Without the variable it does nothing, and `startPostgres` makes one.
 */
export async function seedCluster(dataDir: string): Promise<void> {
  const kept = process.env['TEST_POSTGRES_CLUSTER'];
  if (kept === undefined) return;
  if (!(await exists(kept))) await makeCluster(kept);
  await mkdir(dataDir, { recursive: true });
  await run('cp', ['-a', join(kept, 'data'), join(kept, 'password'), dataDir]);
}

/** Several workers may need it at once: each makes one, and the first to be ready is kept. */
async function makeCluster(kept: string): Promise<void> {
  const draft = `${kept}.${process.pid}`;
  await (await startPostgres({ dataDir: draft, durability: 'fast' })).stop();
  try {
    await rename(draft, kept);
  } catch (error) {
    if (!(await exists(kept))) throw error;
    await rm(draft, { recursive: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
