import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TocsinError } from '@tocsin/domain';

/**
 * Reads a secret from a file, or makes one and keeps it there, readable by its owner only. Whoever comes second, even at the same
 * moment, gets the secret of the first.
 * @throws TocsinError `TCN_DATA_DIR` if the file can be neither read nor made, or is empty
 */
export async function loadOrCreateSecretFile(
  path: string,
  make: () => string,
): Promise<{ secret: string; created: boolean }> {
  try {
    const present = await readIfPresent(path);
    if (present !== undefined) return { secret: checked(present, path), created: false };
    const secret = make();
    if (await createWhole(path, secret)) return { secret, created: true };
    return { secret: checked((await readIfPresent(path)) ?? '', path), created: false };
  } catch (error) {
    if (error instanceof TocsinError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TocsinError('TCN_DATA_DIR', `cannot keep a secret in ${path}: ${reason}`, { cause: error });
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function checked(secret: string, path: string): string {
  if (secret === '') throw new TocsinError('TCN_DATA_DIR', `${path} is empty; remove it to have a new secret made`);
  return secret;
}

/** Writes the whole file or none; false if it is there already. */
async function createWhole(path: string, secret: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A hard link fails where the name is taken; a rename would replace the other's secret.
    await link(draft, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
