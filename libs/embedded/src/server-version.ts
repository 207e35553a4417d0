import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Older servers silently drop stream settings the log relies on. */
export const OLDEST_NATS = '2.12.0';

/** What `nats-server --version` says, e.g. `2.15.1`; undefined if the program is not there or is none. */
export async function natsVersion(binary: string): Promise<string | undefined> {
  const { stdout } = await run(binary, ['--version'], { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  return /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

/** Is this version one Tocsin works with? */
export function isNewEnough(version: string): boolean {
  return compareVersions(version, OLDEST_NATS) >= 0;
}

/** Orders `a.b.c` versions by number: negative if `left` is the older. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i += 1) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
