import { TocsinError } from '@tocsin/domain';
import { readdir, readlink, realpath, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readIfThere } from './read-if-there.js';

// Sessions whose postmaster was killed notice within milliseconds, unless a statement keeps them.
const STRAGGLER_MS = 10_000;

/** Does `postmaster.pid` name this postmaster, and say that it takes connections? The same test as `pg_ctl start --wait`. */
export async function isReady(dataDir: string, pid: number): Promise<boolean> {
  const lines = await readPidFile(dataDir);
  // Line 1 is the postmaster's number, line 8 its state (miscadmin.h: LOCK_FILE_LINE_PM_STATUS).
  return lines !== undefined && Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/**
 * Removes a `postmaster.pid` that a killed server left. Postgres itself would refuse to start where the number still answers a signal:
 * because another program has it now, or because nobody has yet reaped the killed postmaster (a zombie, which lasts where the first
 * process of a container reaps none). The file stays, for Postgres to judge, while anything still works in the directory: two servers on
 * one directory destroy it.
 * @throws TocsinError TCN_DATA_DIR if a Postgres that we did not start serves the directory.
 */
export async function clearStalePidFile(dataDir: string): Promise<void> {
  const lines = await readPidFile(dataDir);
  if (lines === undefined) return;
  const pid = Number(lines[0]);
  const end = performance.now() + STRAGGLER_MS;
  for (;;) {
    const workers = await postgresProcessesIn(dataDir);
    if (workers === undefined) return;
    if (workers.length === 0) break;
    if (workers.includes(pid) || performance.now() > end) {
      throw new TocsinError(
        'TCN_DATA_DIR',
        `${dataDir} is served by a Postgres that Tocsin did not start (process ${workers.join(', ')}); stop it, or choose another data directory`,
      );
    }
    await delay(20);
  }
  await rm(join(dataDir, 'postmaster.pid'), { force: true });
}

async function readPidFile(dataDir: string): Promise<string[] | undefined> {
  const text = await readIfThere(join(dataDir, 'postmaster.pid'));
  return text?.split('\n');
}

/** Every process of a Postgres works in its data directory. Undefined where the system does not show it. */
async function postgresProcessesIn(dataDir: string): Promise<number[] | undefined> {
  if (process.platform !== 'linux') return undefined;
  const place = await realpath(dataDir);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [cwd, exe] = await Promise.all([
        readlink(`/proc/${pid}/cwd`).catch(() => ''),
        readlink(`/proc/${pid}/exe`).catch(() => ''),
      ]);
      return cwd === place && basename(exe).startsWith('postgres') ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
