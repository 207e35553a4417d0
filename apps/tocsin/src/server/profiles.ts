import { TocsinError } from '@tocsin/domain';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** A server and the key for it. */
export interface Profile {
  url: string;
  apiKey?: string;
}

/** What the file holds. */
export interface ProfileBook {
  /** Name of the profile in use. */
  current?: string;
  profiles: Record<string, Profile>;
}

/** Where a user's profiles stand: `$XDG_CONFIG_HOME/tocsin/profiles.json`, by default below `~/.config`. */
export function profilesPath(env: Readonly<Record<string, string | undefined>>): string {
  const xdg = env['XDG_CONFIG_HOME'];
  // The specification: a relative path in the variable counts as none.
  const base = xdg !== undefined && xdg.startsWith('/') ? xdg : join(env['HOME'] ?? homedir(), '.config');
  return join(base, 'tocsin', 'profiles.json');
}

/** Keeps profiles in a file that its owner alone may read: keys stand in it. */
export class ProfileStore {
  constructor(readonly path: string) {}

  /**
   * All there are; none where there is no file.
   * @throws TocsinError `TCN_CONFIG` if the file cannot be read or is none of ours
   */
  async read(): Promise<ProfileBook> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return { profiles: {} };
      throw this.#unusable(error);
    }
    const book = parsed(text);
    if (book === undefined)
      throw new TocsinError('TCN_CONFIG', `${this.path} is no file of profiles; mend or remove it`);
    return book;
  }

  /**
   * Replaces the file as a whole: whoever reads at the same time sees the old or the new one.
   * @throws TocsinError `TCN_CONFIG` if it cannot be written
   */
  async write(book: ProfileBook): Promise<void> {
    const draft = `${this.path}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      try {
        await writeFile(draft, `${JSON.stringify(book, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
        // The mode of a new file is cut by the umask, never widened; this says what it is in any case.
        await chmod(draft, 0o600);
        await rename(draft, this.path);
      } finally {
        await rm(draft, { force: true });
      }
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  #unusable(cause: unknown): TocsinError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new TocsinError('TCN_CONFIG', `profiles cannot be kept in ${this.path}: ${reason}`, { cause });
  }
}

function parsed(text: string): ProfileBook | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || !isRecord(value['profiles'])) return undefined;
  const profiles: Record<string, Profile> = {};
  for (const [name, profile] of Object.entries(value['profiles'])) {
    if (!isRecord(profile) || typeof profile['url'] !== 'string') return undefined;
    const apiKey = profile['apiKey'];
    profiles[name] = { url: profile['url'], ...(typeof apiKey === 'string' ? { apiKey } : {}) };
  }
  const current = value['current'];
  return { ...(typeof current === 'string' ? { current } : {}), profiles };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
