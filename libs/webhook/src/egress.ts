import { isIP } from 'node:net';
import { TocsinError } from '@tocsin/domain';
import ipaddr from 'ipaddr.js';
import { type AddressClass, judgeAddress, within } from './address-class.js';

type Cidr = ReturnType<typeof ipaddr.parseCIDR>;

/** Names under which clouds serve credentials, whatever they resolve to. */
const METADATA_NAMES = new Set(['metadata.google.internal', 'metadata.goog', 'metadata', 'instance-data']);

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80, 'smtps:': 465, 'smtp:': 587 };

/** Which addresses may be sent to: classes, single networks and, where given, ports. */
export class EgressPolicy {
  readonly #classes: ReadonlySet<AddressClass>;
  readonly #networks: readonly Cidr[];
  readonly #ports: ReadonlySet<number> | undefined;

  private constructor(classes: ReadonlySet<AddressClass>, networks: readonly Cidr[], ports?: readonly number[]) {
    this.#classes = classes;
    this.#networks = networks;
    this.#ports = ports === undefined || ports.length === 0 ? undefined : new Set(ports);
  }

  /**
   * @param text comma-separated: `public`, `private`, `loopback` and CIDRs, e.g. `public,10.20.0.0/16`
   * @param options.ports the only ports that may be sent to; all if left out or empty
   * @throws TocsinError `TCN_CONFIG` naming the part that is neither
   */
  static parse(text: string, options: { ports?: readonly number[] } = {}): EgressPolicy {
    const classes = new Set<AddressClass>();
    const networks: Cidr[] = [];
    for (const part of text.split(',').map((piece) => piece.trim())) {
      if (part === '') continue;
      if (part === 'public' || part === 'private' || part === 'loopback') classes.add(part);
      else if (ipaddr.isValidCIDR(part)) networks.push(ipaddr.parseCIDR(part));
      else
        throw new TocsinError('TCN_CONFIG', `egress policy: "${part}" is neither public, private, loopback nor a CIDR`);
    }
    return new EgressPolicy(classes, networks, options.ports);
  }

  /**
   * Checks a URL when it is declared, as far as that can be known before its name is resolved.
   * @throws TocsinError `TCN_INVALID` if it is no http(s) URL, `TCN_EGRESS_BLOCKED` if it can never be sent to
   */
  checkUrl(text: string): void {
    const url = URL.parse(text);
    if (url === null) throw new TocsinError('TCN_INVALID', 'the destination is not a valid URL');
    this.checkTarget(url);
  }

  /**
   * {@link checkUrl} for a URL that is parsed already.
   * @throws TocsinError as {@link checkUrl}
   */
  checkTarget(url: URL): void {
    if (DEFAULT_PORTS[url.protocol] === undefined) {
      throw new TocsinError('TCN_INVALID', 'the destination must be an http, https, smtp or smtps URL');
    }
    const port = portOf(url);
    if (port === 0 || (this.#ports !== undefined && !this.#ports.has(port)))
      throw blocked(`port ${port} is not allowed`);
    const host = hostOf(url);
    if (host === '') throw new TocsinError('TCN_INVALID', 'the destination must name a host');
    if (isIP(host) !== 0) {
      this.vet([host], url.protocol);
      return;
    }
    if (METADATA_NAMES.has(host)) throw blocked('cloud metadata services are never sent to');
    if (isLocalhost(host)) this.vet(['127.0.0.1'], url.protocol);
    if (url.protocol === 'http:' && !this.#allowsPlainSomewhere()) {
      throw blocked('plain http is allowed only towards private and loopback addresses; use https');
    }
  }

  /**
   * Checks what a name resolved to. One bad address spoils all: an answer that mixes good and bad ones is an attack or a mistake.
   * @param protocol of the URL; plain http is refused towards public addresses (smtp upgrades to TLS by STARTTLS)
   * @throws TocsinError `TCN_EGRESS_BLOCKED` naming the first address refused
   */
  vet(addresses: readonly string[], protocol: string): void {
    if (addresses.length === 0) throw blocked('the name resolves to no address');
    for (const text of addresses) {
      const reason = this.#reasonAgainst(text, protocol);
      if (reason !== undefined) throw blocked(`${text}: ${reason}`);
    }
  }

  #reasonAgainst(text: string, protocol: string): string | undefined {
    const { class: addressClass, address } = judgeAddress(text);
    if (addressClass === 'never' || address === undefined) return 'addresses of this kind are never sent to';
    const allowed = this.#classes.has(addressClass) || this.#networks.some((network) => within(address, network));
    if (!allowed) return addressClass === 'special' ? 'not allowed' : `${addressClass} addresses are not allowed`;
    if (protocol === 'http:' && addressClass === 'public') return 'plain http is not allowed towards public addresses';
    return undefined;
  }

  #allowsPlainSomewhere(): boolean {
    if (this.#classes.has('private') || this.#classes.has('loopback')) return true;
    return this.#networks.some(([network]) => judgeAddress(network.toString()).class !== 'public');
  }
}

/**
 * Host of a URL as a resolver takes it: no brackets around IPv6, no dot at the end. A URL parser normalises addresses of http and
 * https only, so the others are given to it as one of them.
 * @returns empty for what is no host at all
 */
export function hostOf(url: URL): string {
  const { hostname } =
    url.protocol === 'smtp:' || url.protocol === 'smtps:'
      ? (URL.parse(`https://${url.hostname}/`) ?? { hostname: '' })
      : url;
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** Port of a URL, given or implied; mail is handed in at 587 (RFC 6409) or 465 (RFC 8314). */
export function portOf(url: URL): number {
  return url.port === '' ? (DEFAULT_PORTS[url.protocol] ?? 0) : Number(url.port);
}

/** RFC 6761: `localhost` and everything below it is this machine. */
export function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function blocked(detail: string): TocsinError {
  return new TocsinError('TCN_EGRESS_BLOCKED', detail);
}
