import { TocsinError } from '@tocsin/domain';
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user a server runs as, where it is not the one who started us. */
export interface RunAs {
  uid: number;
  gid: number;
}

/** A command line, made to run as a certain user. */
export interface UserCommand {
  command: string;
  args: string[];
  uid?: number;
  gid?: number;
}

/**
 * Postgres refuses to run as root. Started as root, it runs as whoever owns the data already, else as the system's `postgres` user, else
 * as `nobody`.
 * @param home the server's folder, with the cluster in `data`
 * @returns undefined where we are not root.
 * @throws TocsinError TCN_DATA_DIR where the system has no such user.
 */
export async function unprivilegedUser(home: string): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(join(home, 'data')).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all([numericId('-u', name), numericId('-g', name)]);
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid };
  }
  throw new TocsinError(
    'TCN_DATA_DIR',
    'Postgres does not run as root, and this system has neither a user postgres nor nobody: add one, or start Tocsin as another user',
  );
}

/**
 * The command, to be run as that user. Where the user may not walk to one of `paths` (a checkout or data directory below /root, or in a
 * folder `mktemp -d` made), the program gets the one capability to read through closed folders, and still is not root.
 * @throws TocsinError TCN_DATA_DIR naming the closed folder, where that capability cannot be given.
 */
export async function commandAs(
  runAs: RunAs | undefined,
  command: string,
  args: readonly string[],
  paths: readonly string[],
): Promise<UserCommand> {
  if (runAs === undefined) return { command, args: [...args] };
  const closed = await firstClosedFolder(runAs, paths);
  if (closed === undefined) return { command, args: [...args], ...runAs };
  const capability = await readCapability();
  if (capability === undefined) {
    throw new TocsinError(
      'TCN_DATA_DIR',
      `Postgres runs as user ${runAs.uid}, who may not enter ${closed}: allow it (chmod o+x ${closed}), or start Tocsin as another user`,
    );
  }
  return {
    command: 'setpriv',
    args: [
      ...['--reuid', String(runAs.uid), '--regid', String(runAs.gid), '--clear-groups'],
      // Else access(2), by which Postgres looks for its own programs, ignores capabilities of a user who is not root.
      '--securebits=+no_setuid_fixup',
      ...['--inh-caps', `+${capability}`, '--ambient-caps', `+${capability}`],
      ...['--', command, ...args],
    ],
  };
}

async function firstClosedFolder(runAs: RunAs, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const { mode, uid, gid } = await stat(folder);
      const shift = uid === runAs.uid ? 6 : gid === runAs.gid ? 3 : 0;
      if (((mode >> shift) & 1) === 0) return folder;
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

// capabilities(7): reading through closed folders alone is enough; many containers have only the wider one.
const CAP_DAC_OVERRIDE = 1n;
const CAP_DAC_READ_SEARCH = 2n;

async function readCapability(): Promise<string | undefined> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: bigint) => ((bounding >> bit) & 1n) === 1n;
  const setpriv = await run('setpriv', ['--version']).then(
    () => true,
    () => false,
  );
  if (!setpriv) return undefined;
  if (has(CAP_DAC_READ_SEARCH)) return 'dac_read_search';
  return has(CAP_DAC_OVERRIDE) ? 'dac_override' : undefined;
}

async function numericId(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  return run('id', [flag, name]).then(
    ({ stdout }) => Number(stdout.trim()),
    () => undefined,
  );
}
