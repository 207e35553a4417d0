import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '@tocsin/domain';
import { HostsFile } from './hosts-file.js';
import { codeOf } from './local-fault.js';

/** No answer is believed for longer, whatever its TTL: a moved name shows within a minute. */
const MAX_TTL_MS = 60_000;
/** An answer with TTL 0 still serves the probes that start together with it. */
const MIN_TTL_MS = 1_000;
/** For this long an old answer stands in while the own resolver is in trouble (RFC 8767 allows days). */
const STALE_MS = 3_600_000;
/** c-ares waits this long for one server before it asks again. */
const QUERY_TIMEOUT_MS = 1_000;
/** A resolver that has answered anything within this time is believed to be well. */
const WELL_MS = 30_000;
/** The name or the record does not exist: the DNS has answered. */
const ABSENT: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);
/** The servers of the name's own zone are broken, or the way to them is: which of both, other names tell. */
const BROKEN_ZONE: ReadonlySet<string> = new Set(['ESERVFAIL', 'EREFUSED']);

/** A name could not be resolved. `local`: the observer's own resolver is to blame, not the name. */
export class ResolveError extends Error {
  readonly origin: 'remote' | 'local';

  constructor(detail: string, origin: 'remote' | 'local', cause?: unknown) {
    super(detail, { cause });
    this.name = 'ResolveError';
    this.origin = origin;
  }
}

export interface NameResolverOptions {
  clock: Clock;
  /** `ip` or `ip:port` of the servers to ask; the system's own if left out. */
  servers?: readonly string[];
  /** Path of the hosts file. */
  hostsFile?: string;
}

interface Answer {
  addresses: readonly string[];
  freshUntilMs: number;
  staleUntilMs: number;
}

/**
 * Names to addresses without `getaddrinfo`, whose four threads block each other when a server hangs: c-ares with a cache by
 * TTL, the hosts file, and `localhost` by definition (RFC 6761 § 6.3). IPv4 addresses come first.
 */
export class NameResolver {
  readonly #clock: Clock;
  readonly #servers: readonly string[] | undefined;
  readonly #hosts: HostsFile;
  readonly #answers = new Map<string, Answer>();
  readonly #asking = new Map<string, Promise<readonly string[]>>();
  #resolver: Resolver;
  #answeredMs: number | undefined;

  constructor(options: NameResolverOptions) {
    this.#clock = options.clock;
    this.#servers = options.servers;
    this.#hosts = new HostsFile(options.hostsFile ?? '/etc/hosts', options.clock);
    this.#resolver = this.#newResolver();
  }

  /**
   * Addresses of a host name or address literal, at least one.
   * @throws ResolveError
   */
  async resolve(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const name = host.toLowerCase().replace(/\.$/, '');
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const listed = await this.#hosts.lookup(name);
    if (listed.length > 0) return listed.toSorted((one, other) => isIP(one) - isIP(other));
    const answer = this.#answers.get(name);
    if (answer !== undefined && this.#clock.monotonicMs() < answer.freshUntilMs) return answer.addresses;
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      asking = this.#ask(name).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return asking;
  }

  /** Gives up what is being asked and forgets every answer. */
  close(): void {
    this.#resolver.cancel();
    this.#answers.clear();
  }

  async #ask(name: string): Promise<readonly string[]> {
    const [four, six] = await Promise.allSettled([
      this.#resolver.resolve4(name, { ttl: true }),
      this.#resolver.resolve6(name, { ttl: true }),
    ]);
    const records = [four, six].flatMap((settled) => (settled.status === 'fulfilled' ? settled.value : []));
    const nowMs = this.#clock.monotonicMs();
    if (records.length > 0) {
      const ttlMs = Math.min(...records.map((record) => record.ttl * 1_000));
      const freshUntilMs = nowMs + Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS);
      const addresses = records.map((record) => record.address);
      this.#answeredMs = nowMs;
      this.#answers.set(name, { addresses, freshUntilMs, staleUntilMs: freshUntilMs + STALE_MS });
      return addresses;
    }
    const errors = [four, six].flatMap((settled) => (settled.status === 'rejected' ? [settled.reason as unknown] : []));
    return this.#withoutAnswer(name, errors, nowMs);
  }

  #withoutAnswer(name: string, errors: readonly unknown[], nowMs: number): readonly string[] {
    const codes = errors.map(codeOf);
    if (codes.every((code) => ABSENT.has(code))) {
      this.#answeredMs = nowMs;
      this.#answers.delete(name);
      throw new ResolveError(`${name} has no address`, 'remote', errors[0]);
    }
    const old = this.#answers.get(name);
    if (old !== undefined && nowMs < old.staleUntilMs) return old.addresses;
    const trouble = codes.find((code) => !ABSENT.has(code)) ?? '';
    const well = this.#answeredMs !== undefined && nowMs - this.#answeredMs < WELL_MS;
    if (BROKEN_ZONE.has(trouble) && well) {
      throw new ResolveError(`the servers of ${name} fail (${trouble})`, 'remote', errors[0]);
    }
    // The machine may have got another resolver since: c-ares reads its configuration once.
    this.#resolver = this.#newResolver();
    throw new ResolveError(`own resolver cannot answer for ${name} (${trouble})`, 'local', errors[0]);
  }

  #newResolver(): Resolver {
    const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
    if (this.#servers !== undefined) resolver.setServers(this.#servers);
    return resolver;
  }
}
