import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Cidr = [Address, number];

/**
 * What an address is, as far as sending to it is concerned.
 * - `special`: carrier-grade NAT, documentation, benchmarking, reserved … reachable only where a CIDR names it
 * - `never`: link-local, cloud metadata, unspecified, broadcast, multicast, and IPv6 forms that smuggle an IPv4 address
 */
export type AddressClass = 'public' | 'private' | 'loopback' | 'special' | 'never';

/** An address in the form by which it is judged: an IPv4 address carried inside IPv6 is the IPv4 address. */
export interface JudgedAddress {
  class: AddressClass;
  /** Undefined where the text is no address at all. */
  address: Address | undefined;
}

/**
 * Addresses at which clouds hand credentials to whoever asks. They lie in private, shared or public ranges, so that the range
 * alone does not give them away.
 */
const METADATA: readonly Cidr[] = [
  '100.100.100.200/32', // Alibaba Cloud
  '168.63.129.16/32', // Azure's host agent
  '192.0.0.192/32', // Oracle Cloud
  'fd00:ec2::254/128', // AWS
  'fd20:ce::254/128', // Google Cloud
].map((text) => ipaddr.parseCIDR(text));

/** Site's own NAT64 prefix (RFC 8215), forms made only for translators (RFC 6145, RFC 5214), and dead tunnels (6to4, Teredo). */
const SMUGGLING = new Set(['rfc6145', '6to4', 'teredo']);

/** Judges an address as a resolver or a URL's host gives it. IPv4 in the strict dotted form only; a URL parser has made it that. */
export function judgeAddress(text: string): JudgedAddress {
  // A zone id makes sense only for link-local addresses.
  if (text.includes('%')) return { class: 'never', address: undefined };
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) {
    return { class: 'never', address: undefined };
  }
  const address = unwrap(ipaddr.parse(text));
  return { class: address === undefined ? 'never' : classOf(address), address };
}

/** Is the (judged) address within the network? */
export function within(address: Address, [network, bits]: Cidr): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** The IPv4 address inside the forms in which real networks carry one; undefined for forms nobody receives webhooks at. */
function unwrap(address: Address): Address | undefined {
  if (address instanceof ipaddr.IPv4) return address;
  const range = address.range();
  if (range === 'ipv4Mapped') return address.toIPv4Address();
  const bytes = address.toByteArray();
  // 64:ff9b::/96 is what DNS64 answers on an IPv6-only network; 64:ff9b:1::/48 is a site's own and may lead anywhere.
  if (range === 'rfc6052') return bytes[5] === 0 ? new ipaddr.IPv4(bytes.slice(12)) : undefined;
  if (SMUGGLING.has(range)) return undefined;
  // ::a.b.c.d (IPv4-compatible, deprecated), except :: and ::1, which have classes of their own.
  if (bytes.slice(0, 12).every((byte) => byte === 0) && range !== 'loopback' && range !== 'unspecified')
    return undefined;
  // ISATAP (RFC 5214): an interface id of 0000:5efe or 0200:5efe before an IPv4 address.
  if ((bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe)
    return undefined;
  return address;
}

function classOf(address: Address): AddressClass {
  if (METADATA.some((network) => within(address, network))) return 'never';
  switch (address.range()) {
    case 'unicast':
      return 'public';
    case 'private':
    case 'uniqueLocal':
      return 'private';
    case 'loopback':
      return 'loopback';
    case 'unspecified':
    case 'broadcast':
    case 'multicast':
    case 'linkLocal':
      return 'never';
    default:
      return 'special';
  }
}
