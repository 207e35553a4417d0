import { TocsinError } from '@tocsin/domain';

const DEFAULT_PORT = 4222;
const SYNTAX = 'one or more addresses such as "nats://host:4222", separated by commas';

/** Where and how to connect, credentials taken apart from the addresses so that no message or log can carry them. */
export interface ServerAddresses {
  /** `host:port`, IPv6 hosts in brackets. */
  hosts: string[];
  user?: string;
  pass?: string;
  token?: string;
  /** At least one address asks for TLS (`tls://`); then all connections use it. */
  tls: boolean;
}

/**
 * Parses `nats://user:pass@host:4222,nats://other` (also `tls://`, a bare `host:port`, and `nats://token@host`).
 * @throws TocsinError `TCN_CONFIG` that names what is wrong, never the text itself: it may hold a password
 */
export function parseServers(servers: string): ServerAddresses {
  const addresses: ServerAddresses = { hosts: [], tls: false };
  for (const text of servers.split(',').map((part) => part.trim())) {
    const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `nats://${text}`);
    if (url === null || url.hostname === '') throw invalid('an address cannot be parsed');
    if (url.protocol !== 'nats:' && url.protocol !== 'tls:') {
      throw invalid(`"${url.protocol}//" is not a scheme of NATS here`);
    }
    if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
      throw invalid('an address has something after its port');
    }
    addresses.hosts.push(`${url.hostname}:${url.port === '' ? DEFAULT_PORT : url.port}`);
    if (url.protocol === 'tls:') addresses.tls = true;
    if (url.username !== '' && url.password !== '') {
      addresses.user = decode(url.username);
      addresses.pass = decode(url.password);
    } else if (url.username !== '') {
      addresses.token = decode(url.username);
    }
  }
  return addresses;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new TocsinError('TCN_CONFIG', 'NATS: the credentials in an address are not percent-encoded correctly', {
      cause: error,
    });
  }
}

function invalid(what: string): TocsinError {
  return new TocsinError('TCN_CONFIG', `NATS: ${what}; expected ${SYNTAX}`);
}
