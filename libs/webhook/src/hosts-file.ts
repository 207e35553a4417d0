import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

/** How often the file's time stamp is looked at, milliseconds. */
const CHECK_MS = 5_000;

/** The names of this machine's hosts file, re-read when it changes: c-ares asks name servers only. */
export class HostsFile {
  readonly #path: string;
  #names = new Map<string, string[]>();
  #mtimeMs = Number.NaN;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(path = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts') {
    this.#path = path;
  }

  /** Addresses of the name in the order of the file; none if it is not listed or there is no such file. */
  async lookup(host: string): Promise<readonly string[]> {
    if (performance.now() - this.#checkedAtMs > CHECK_MS) {
      this.#checkedAtMs = performance.now();
      await this.#refresh();
    }
    return this.#names.get(host.toLowerCase()) ?? [];
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (mtimeMs === this.#mtimeMs) return;
      this.#names = parseHosts(await readFile(this.#path, 'utf8'));
      this.#mtimeMs = mtimeMs;
    } catch {
      // A machine without the file, or one being replaced at this moment: what was known stays.
    }
  }
}

/** hosts(5): an address, then its names; `#` starts a comment. */
export function parseHosts(text: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address, ...aliases] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (address === undefined || isIP(address) === 0) continue;
    for (const alias of aliases) {
      const known = names.get(alias.toLowerCase());
      if (known === undefined) names.set(alias.toLowerCase(), [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return names;
}
