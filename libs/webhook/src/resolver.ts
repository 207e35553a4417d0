import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isLocalhost } from './egress.js';
import { HostsFile } from './hosts-file.js';

/** Turns a host name into addresses. Literals never get here. */
export interface HostResolver {
  /** Addresses, best first; rejects if there are none. Its deadline is kept by the caller. */
  resolve(host: string): Promise<readonly string[]>;
}

/** Once one family has answered, how long the other is waited for (RFC 8305 § 3), milliseconds. */
const OTHER_FAMILY_MS = 50;
/** After this time resolv.conf is read again: laptops move, clusters change their DNS service. Milliseconds. */
const SETTINGS_TTL_MS = 60_000;
/** Per try and server; two tries fit into the 2 s an attempt allows. Milliseconds. */
const TRY_MS = 900;

interface Settings {
  resolver: Resolver;
  search: readonly string[];
  ndots: number;
  readAtMs: number;
}

/**
 * Resolves as the machine does (hosts file, then the name servers and search domains of resolv.conf) but through c-ares:
 * `dns.lookup` occupies one of four threads for as long as a slow name server takes, and four slow names would stop all others.
 */
export class SystemResolver implements HostResolver {
  readonly #hosts: HostsFile;
  readonly #resolvConf: string;
  #settings: Settings | undefined;

  constructor(options: { hostsFile?: string; resolvConf?: string } = {}) {
    this.#hosts = new HostsFile(options.hostsFile);
    this.#resolvConf = options.resolvConf ?? '/etc/resolv.conf';
  }

  async resolve(host: string): Promise<readonly string[]> {
    const listed = await this.#hosts.lookup(host);
    if (listed.length > 0) return listed;
    if (isLocalhost(host)) return ['127.0.0.1', '::1'];
    const { resolver, search, ndots } = await this.#current();
    let failure: unknown;
    for (const name of candidates(host, search, ndots)) {
      try {
        return await bothFamilies(resolver, name);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  async #current(): Promise<Settings> {
    if (this.#settings === undefined || performance.now() - this.#settings.readAtMs > SETTINGS_TTL_MS) {
      const text = await readFile(this.#resolvConf, 'utf8').catch(() => '');
      const resolver = new Resolver({ timeout: TRY_MS, tries: 2 });
      this.#settings = { resolver, ...parseResolvConf(text), readAtMs: performance.now() };
    }
    return this.#settings;
  }
}

/** resolv.conf(5): the last `search` (or `domain`) line counts; `ndots` is 1 unless set. */
export function parseResolvConf(text: string): { search: readonly string[]; ndots: number } {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') search = values.filter((value) => value !== '.');
    if (keyword === 'options') {
      const option = values.map((value) => /^ndots:(\d{1,2})$/.exec(value)?.[1]).find((value) => value !== undefined);
      if (option !== undefined) ndots = Math.min(Number(option), 15);
    }
  }
  return { search, ndots };
}

/** Names to ask for, in order: with enough dots the name itself first, else last. */
export function candidates(host: string, search: readonly string[], ndots: number): readonly string[] {
  const dots = host.split('.').length - 1;
  const extended = search.map((domain) => `${host}.${domain}`);
  return dots >= ndots ? [host, ...extended] : [...extended, host];
}

async function bothFamilies(resolver: Resolver, name: string): Promise<readonly string[]> {
  const v4 = resolver.resolve4(name);
  const v6 = resolver.resolve6(name);
  const empty = (): string[] => [];
  await Promise.any([v4, v6]).catch((error: unknown) => {
    throw error instanceof AggregateError ? error.errors[0] : error;
  });
  const grace = new Promise<string[]>((resolve) => setTimeout(() => resolve([]), OTHER_FAMILY_MS).unref());
  const [four, six] = await Promise.all([
    Promise.race([v4.catch(empty), grace]),
    Promise.race([v6.catch(empty), grace]),
  ]);
  // IPv4 first: where both exist, a broken IPv6 path is by far the commoner fault.
  return [...four, ...six];
}
