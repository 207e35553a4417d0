import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode } from './errno.js';
import { identify, isRunning, type ProcessIdentity } from './process-identity.js';

/** A lock that ends with its holder: a file naming a process, void as soon as that process is gone, however it ended. */
export interface FileLock {
  release(): Promise<void>;
}

/** The lock is held by a living process. */
export interface LockHeld {
  heldBy: number;
}

interface LockContent extends ProcessIdentity {
  token: string;
}

/** Takes the lock `path` for this process, or tells who holds it. The folder must exist. */
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
      if (holder !== undefined) await removeStale(path, holder);
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

// Two processes may find the same stale lock. Each moves away what lies there and looks at it: whoever moved a rival's fresh
// lock by mistake puts it back.
async function removeStale(path: string, stale: LockContent): Promise<void> {
  const aside = join(dirname(path), `.stale-${randomUUID()}`);
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readLock(aside))?.token !== stale.token) await linked(aside, path);
  await rm(aside, { force: true });
}

async function readLock(path: string): Promise<LockContent | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LockContent;
  } catch {
    // Damaged by a full disk or a crash of the machine: nobody's.
    return { pid: 0, started: 'damaged', token: '' };
  }
}
