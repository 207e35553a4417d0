import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Clock } from '@tocsin/domain';

/** How often the file is looked at again. */
const RECHECK_MS = 5_000;

/** Names and addresses of a hosts file (`hosts(5)`), names in lower case. */
export function parseHosts(text: string): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (address === undefined || isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      hosts.set(key, [...(hosts.get(key) ?? []), address]);
    }
  }
  return hosts;
}

/** The machine's hosts file, read again when it has changed. A missing or unreadable file has no names. */
export class HostsFile {
  readonly #path: string;
  readonly #clock: Clock;
  #hosts = new Map<string, string[]>();
  #modifiedMs: number | undefined;
  #checkedMs: number | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Addresses of `name`, in the order of the file. */
  async lookup(name: string): Promise<readonly string[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#checkedMs === undefined || nowMs - this.#checkedMs >= RECHECK_MS) {
      this.#checkedMs = nowMs;
      await this.#refresh();
    }
    return this.#hosts.get(name.toLowerCase()) ?? [];
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (mtimeMs === this.#modifiedMs) return;
      this.#hosts = parseHosts(await readFile(this.#path, 'utf8'));
      this.#modifiedMs = mtimeMs;
    } catch {
      this.#hosts = new Map();
      this.#modifiedMs = undefined;
    }
  }
}
