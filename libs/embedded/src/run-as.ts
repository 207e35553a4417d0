import { TocsinError } from '@tocsin/domain';
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user a server runs as, where it is not the one who started us. */
export interface RunAs {
  uid: number;
  gid: number;
}

/**
 * Postgres refuses to run as root. Started as root, it runs as whoever owns the data already, else as the system's
 * `postgres` user, else as `nobody`.
 * @param home the server's folder, with the cluster in `data`
 * @returns undefined where we are not root.
 */
export async function unprivilegedUser(home: string): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(join(home, 'data')).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all([numericId('-u', name), numericId('-g', name)]);
    if (ids[0] !== undefined && ids[1] !== undefined && ids[0] !== 0) return { uid: ids[0], gid: ids[1] };
  }
  throw new TocsinError(
    'TCN_DATA_DIR',
    'Postgres does not run as root, and this system has neither a user postgres nor nobody: add one, or start Tocsin as another user',
  );
}

async function numericId(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  return run('id', [flag, name]).then(
    ({ stdout }) => Number(stdout.trim()),
    () => undefined,
  );
}
