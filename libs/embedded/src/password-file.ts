import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

/** 192 bits, in characters that need no escaping in a URL. */
const PASSWORD_BYTES = 24;

/** The password kept in this file; undefined if there is none. */
export async function readPassword(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

/** Makes a new password and keeps it in this file, readable by us alone. */
export async function makePassword(path: string): Promise<string> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${password}\n`, { mode: 0o600 });
  await rename(draft, path);
  return password;
}
