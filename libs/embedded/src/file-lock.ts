import { randomUUID } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from './errno.js';
import { identify, isRunning, type ProcessIdentity } from './process-identity.js';
import { readIfThere } from './read-if-there.js';

/** A lock that ends with its holder: a file naming a process, void as soon as that process is gone, however it ended. */
export interface FileLock {
  release(): Promise<void>;
}

/** The lock is held by a living process. */
export interface LockHeld {
  heldBy: number;
}

// What another process needs to remove a file.
const TURN_MS = 5;

interface LockContent extends ProcessIdentity {
  token: string;
}

/**
 * Takes the lock `path` for this process, or tells who holds it. The folder must exist.
 * @throws TocsinError TCN_DATA_DIR if there is a lock that cannot be read; the system's error where the folder cannot be written
 */
export async function takeLock(path: string): Promise<FileLock | LockHeld> {
  const me = await identify(process.pid);
  if (me === undefined) throw new Error('this process cannot find itself in the process table');
  const mine: LockContent = { ...me, token: randomUUID() };
  const draft = join(dirname(path), `.lock-${mine.token}`);
  await writeFile(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    // A link to a complete file either appears whole or not at all: nobody ever reads half a lock.
    while (!(await linked(draft, path))) {
      const holder = await readLock(path);
      if (holder !== undefined && (await isRunning(holder))) return { heldBy: holder.pid };
      if (holder !== undefined) await removeStale(path, holder, draft);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return {
    release: async () => {
      if ((await readLock(path))?.token === mine.token) await rm(path, { force: true });
    },
  };
}

async function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    },
  );
}

// Several processes may find the same stale lock, and a late one must not remove the lock of an early one: only who holds the right to
// that very lock, by its token, may remove it.
async function removeStale(path: string, stale: LockContent, draft: string): Promise<void> {
  const right = `${path}.${stale.token}`;
  if (!(await linked(draft, right))) {
    const other = await readLock(right);
    if (other !== undefined && !(await isRunning(other))) await rm(right, { force: true });
    else await delay(TURN_MS);
    return;
  }
  try {
    if ((await readLock(path))?.token === stale.token) await rm(path, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

async function readLock(path: string): Promise<LockContent | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LockContent;
  } catch {
    // Damaged by a full disk or a crash of the machine: nobody's.
    return { pid: 0, started: 'damaged', token: 'damaged' };
  }
}
