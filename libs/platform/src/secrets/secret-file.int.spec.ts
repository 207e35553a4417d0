import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrCreateSecretFile } from './secret-file.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tocsin-secret-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('loadOrCreateSecretFile', () => {
  it('makes the secret once and keeps it, for its owner only', async () => {
    const path = join(directory, 'data', 'deep', 'api-key');
    expect(await loadOrCreateSecretFile(path, () => 'first')).toEqual({ secret: 'first', created: true });
    expect(await loadOrCreateSecretFile(path, () => 'second')).toEqual({ secret: 'first', created: false });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'data'))).mode & 0o777).toBe(0o700);
    expect(await readFile(path, 'utf8')).toBe('first\n');
  });

  it('gives all who come at the same moment the same secret, and leaves no drafts', async () => {
    const path = join(directory, 'api-key');
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => loadOrCreateSecretFile(path, () => `secret-${index}`)),
    );
    expect(new Set(results.map(({ secret }) => secret)).size).toBe(1);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(await readdir(directory)).toEqual(['api-key']);
  });

  it('does not take an empty file for a secret', async () => {
    const path = join(directory, 'api-key');
    await writeFile(path, '\n');
    await expect(loadOrCreateSecretFile(path, () => 'x')).rejects.toMatchObject({ code: 'TCN_DATA_DIR' });
  });

  it('says which file cannot be kept', async () => {
    await writeFile(join(directory, 'file'), '');
    const path = join(directory, 'file', 'api-key');
    await expect(loadOrCreateSecretFile(path, () => 'x')).rejects.toMatchObject({
      code: 'TCN_DATA_DIR',
      message: expect.stringContaining(path) as unknown,
    });
  });
});
