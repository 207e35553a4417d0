import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock, type FileLock } from './file-lock.js';
import { identify } from './process-identity.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const isTaken = (lock: Awaited<ReturnType<typeof takeLock>>): lock is FileLock => !('heldBy' in lock);

describe('takeLock', () => {
  it('gives the lock to one, and again after its release', async () => {
    const first = await takeLock(path);
    expect(await takeLock(path)).toEqual({ heldBy: process.pid });
    expect(isTaken(first)).toBe(true);
    if (isTaken(first)) await first.release();
    expect(isTaken(await takeLock(path))).toBe(true);
  });

  it.each([
    ['of a process that is gone', { pid: 2 ** 30, started: 'then', token: 'x' }],
    ['of a process whose number another one has now', { pid: process.pid, started: 'before', token: 'x' }],
    ['that is damaged', undefined],
  ])('takes over a lock %s, for one of many', async (_, content) => {
    for (let round = 0; round < 10; round += 1) {
      await writeFile(path, content === undefined ? '{"pid":' : JSON.stringify({ ...content, token: `x${round}` }));
      const taken = (await Promise.all(Array.from({ length: 20 }, () => takeLock(path)))).filter(isTaken);
      expect(taken).toHaveLength(1);
      await taken[0]!.release();
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('says so of a lock that cannot be read, and leaves it alone', async () => {
    // Permissions do not keep root from reading, a folder does.
    await mkdir(path);
    await expect(takeLock(path)).rejects.toMatchObject({ code: 'TCN_DATA_DIR' });
    await expect(takeLock(path)).rejects.toThrow(path);
    expect(await readdir(folder)).toEqual(['lock']);
  });

  it('takes over where a process was killed in the middle of taking over', async () => {
    const dead = { pid: 2 ** 30, started: 'then' };
    await writeFile(path, JSON.stringify({ ...dead, token: 'first' }));
    await writeFile(`${path}.first`, JSON.stringify({ ...dead, token: 'second' }));
    expect(isTaken(await takeLock(path))).toBe(true);
  });

  it('leaves alone, on release, what is no longer its own', async () => {
    const lock = await takeLock(path);
    await writeFile(path, JSON.stringify({ ...(await identify(process.pid)), token: 'of another' }));
    if (isTaken(lock)) await lock.release();
    expect(await readdir(folder)).toEqual(['lock']);
  });
});
