import { connect, isIP, isIPv6, type Socket } from 'node:net';
import { connect as tlsConnect, createSecureContext, type SecureContext } from 'node:tls';
import type { Attempt } from './attempt.js';
import type { NameResolver } from './name-resolver.js';

export interface TlsWish {
  /** Name to ask for and to verify; undefined where the host is an address. */
  serverName: string | undefined;
  verify: boolean;
  /** Protocol spoken on the connection. */
  protocol: 'http/1.1' | 'h2' | undefined;
}

/** More addresses than these are not tried within one check. */
const MAX_ADDRESSES = 4;

let sharedContext: SecureContext | undefined;

/** One for all probes: making one loads every trusted root again. It carries no sessions over, so handshakes stay full. */
function secureContext(): SecureContext {
  sharedContext ??= createSecureContext();
  return sharedContext;
}

/**
 * A fresh connection, ready to be written to. Addresses are tried in turn, each with its share of the time that is left.
 * @throws the last address's error; ResolveError
 */
export async function openConnection(
  host: string,
  port: number,
  attempt: Attempt,
  resolver: NameResolver,
  tls?: TlsWish,
): Promise<Socket> {
  // An address needs no resolver, and has no other to fall back on.
  if (isIP(host) !== 0) return open(host, port, attempt, tls, undefined);
  const addresses = (await resolver.resolve(host)).slice(0, MAX_ADDRESSES);
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    const left = addresses.length - index;
    try {
      return await open(address, port, attempt, tls, left > 1 ? attempt.remainingMs / left : undefined);
    } catch (error) {
      // An address family without a route is no word on the target while another address has given one.
      failure = index > 0 && isUnroutable(error) ? failure : error;
      if (attempt.phase !== 'connect') break;
    }
  }
  throw failure;
}

function isUnroutable(error: unknown): boolean {
  return ['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function open(
  address: string,
  port: number,
  attempt: Attempt,
  tls: TlsWish | undefined,
  shareMs: number | undefined,
): Promise<Socket> {
  attempt.enter('connect');
  attempt.peer = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connect({ host: address, port, noDelay: true })
        : tlsConnect({
            host: address,
            port,
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
            rejectUnauthorized: tls.verify,
            secureContext: secureContext(),
            ...(tls.protocol === undefined ? {} : { ALPNProtocols: [tls.protocol] }),
          });
    attempt.hold(socket);
    let share: NodeJS.Timeout | undefined;
    let established = false;
    const opened = () => {
      established = true;
      resolve(socket);
    };
    if (shareMs !== undefined) {
      share = setTimeout(() => {
        const error: NodeJS.ErrnoException = new Error(`no connection to ${address} in its share of the time`);
        error.code = 'ETIMEDOUT';
        socket.destroy(error);
      }, shareMs);
    }
    socket.on('connect', () => {
      clearTimeout(share);
      if (tls === undefined) opened();
      else attempt.enter('tls');
    });
    if (tls !== undefined) socket.on('secureConnect', opened);
    // Stays for the socket's whole life: an error after the verdict is nobody's news.
    socket.on('error', (error: Error) => {
      clearTimeout(share);
      reject(error);
    });
    socket.on('close', () => {
      clearTimeout(share);
      // Every connection is closed in the end, and an error costs more than the rest of it.
      if (established) return;
      const error: NodeJS.ErrnoException = new Error('closed');
      error.code = 'ECONNRESET';
      reject(error);
    });
  });
}
