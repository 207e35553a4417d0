import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats } from './nats.js';
import { startPostgres } from './postgres.js';
import { identify, isRunning, waitUntilGone, type ProcessIdentity } from './process-identity.js';

const PROGRAM = `
  import { startNats, startPostgres } from '@tocsin/embedded';
  const [folder, keep] = process.argv.slice(1);
  const postgres = await startPostgres({ dataDir: folder + '/pg', durability: 'fast' });
  const nats = await startNats({ dataDir: folder + '/nats' });
  console.log(JSON.stringify([postgres.pid, nats.pid]));
  // Where it is to finish, it does so when it has been told.
  if (keep === 'keep') setInterval(() => {}, 1000);
  else process.stdin.resume();
`;

let folder: string;
let parent: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-parent-'));
});

afterEach(async () => {
  parent.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Another Node process which starts both servers; gives their identities. */
async function startInParent(keep: 'keep' | 'finish'): Promise<ProcessIdentity[]> {
  parent = spawn(
    process.execPath,
    [
      '--conditions=@tocsin/source',
      '--import',
      '@oxc-node/core/register',
      '--input-type=module',
      '-e',
      PROGRAM,
      folder,
      keep,
    ],
    { cwd: join(import.meta.dirname, '..'), stdio: ['pipe', 'pipe', 'inherit'], detached: true },
  );
  const [line] = (await once(createInterface({ input: parent.stdout! }), 'line')) as [string];
  const found = await Promise.all((JSON.parse(line) as number[]).map((pid) => identify(pid)));
  expect(found).not.toContain(undefined);
  // Only now: what ends with it could not be looked at any more.
  parent.stdin!.end();
  return found as ProcessIdentity[];
}

/** Kills what watches over the servers on behalf of the parent, as the kernel may when memory is short. */
async function killGuardians(): Promise<void> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  const guardians = stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, ...args]) => Number(ppid) === parent.pid && args.includes('tocsin-guardian'));
  expect(guardians).toHaveLength(2);
  for (const [pid] of guardians) process.kill(Number(pid), 'SIGKILL');
}

const areGone = (servers: ProcessIdentity[]) => Promise.all(servers.map((server) => waitUntilGone(server, 10_000)));

describe('servers whose parent ends', () => {
  it('end with it when it is killed with SIGKILL', async () => {
    const servers = await startInParent('keep');
    parent.kill('SIGKILL');
    expect(await areGone(servers)).toEqual([true, true]);
  });

  it('end with it when its whole process group is killed with SIGKILL', async () => {
    const servers = await startInParent('keep');
    process.kill(-parent.pid!, 'SIGKILL');
    expect(await areGone(servers)).toEqual([true, true]);
  });

  it('neither keep a finished program alive nor outlive it', async () => {
    const servers = await startInParent('finish');
    if (parent.exitCode === null) await once(parent, 'exit');
    expect(parent.exitCode).toBe(0);
    expect(await areGone(servers)).toEqual([true, true]);
  });

  it('are found and stopped at the next start when nobody was left to stop them', async () => {
    const servers = await startInParent('keep');
    await killGuardians();
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(await Promise.all(servers.map(isRunning))).toEqual([true, true]);
    const postgres = await startPostgres({ dataDir: join(folder, 'pg'), durability: 'fast' });
    const nats = await startNats({ dataDir: join(folder, 'nats') });
    expect(await Promise.all(servers.map(isRunning))).toEqual([false, false]);
    await Promise.all([postgres.stop(), nats.stop()]);
  });
});
