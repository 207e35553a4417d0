import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { hasCode } from './errno.js';

/** Earlier logs kept beside the current one: enough to see what went before a crash loop. */
const KEPT = 3;
const TAIL_LINES = 15;

/** Opens a new log, moving the earlier ones one further: `server.log` → `server.log.1` → … */
export async function rotateLog(path: string): Promise<FileHandle> {
  for (let n = KEPT; n >= 1; n -= 1) {
    const from = n === 1 ? path : `${path}.${n - 1}`;
    await rename(from, `${path}.${n}`).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  }
  return open(path, 'a', 0o600);
}

/** The last lines of a log, for an error message; empty if there is no log. */
export async function tailOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
