import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TocsinError } from '@tocsin/domain';
import { basicAuthorization, decoded } from './format/authorization.js';
import { hostOf, portOf } from './egress.js';
import { AttemptFailure } from './outcome.js';
import type { HostResolver } from './resolver.js';
import { connectFirst } from './tcp.js';

/** The answer to CONNECT has a head and nothing else. Bytes. */
const HEAD_BYTES = 16 * 1024;

/**
 * A forward proxy of the operator's. It resolves the names of destinations itself, so judging the addresses they lead to is its
 * duty; literal addresses, ports and metadata names are refused before it is asked.
 */
export class ForwardProxy {
  readonly url: URL;
  /** Host and port, for records. */
  readonly name: string;
  readonly #bypass: readonly string[];

  /**
   * @param text `http://` or `https://`, with credentials where it wants some
   * @param bypass hosts that are reached directly; one that starts with a dot stands for all below it
   * @throws TocsinError `TCN_CONFIG`
   */
  constructor(text: string, bypass: readonly string[] = []) {
    const url = URL.parse(text);
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      throw new TocsinError('TCN_CONFIG', 'the forward proxy must be an http or https URL');
    }
    this.url = url;
    this.name = url.host;
    this.#bypass = bypass.map((host) => host.toLowerCase());
  }

  /** Is this host reached without the proxy? */
  bypasses(host: string): boolean {
    return this.#bypass.some((entry) => entry === host || (entry.startsWith('.') && host.endsWith(entry)));
  }
}

/** Opens a tunnel (RFC 9110 § 9.3.6) to a host by its name. */
export async function openTunnel(
  proxy: ForwardProxy,
  target: { host: string; port: number },
  resolver: HostResolver,
  signal: AbortSignal,
): Promise<Socket> {
  const host = hostOf(proxy.url);
  const addresses = isIP(host) === 0 ? await resolver.resolve(host) : [host];
  const tcp = await connectFirst(addresses, portOf(proxy.url), signal);
  // The operator's own authorities are those of the process (NODE_EXTRA_CA_CERTS), not of any destination.
  const servername = isIP(host) === 0 ? host : '';
  const socket = proxy.url.protocol === 'https:' ? connectTls({ socket: tcp.socket, host, servername }) : tcp.socket;
  try {
    await ask(socket, proxy, target, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    tcp.socket.destroy();
    throw error;
  }
}

function ask(
  socket: Socket,
  proxy: ForwardProxy,
  target: { host: string; port: number },
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const authority = isIP(target.host) === 6 ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
  let held = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    const end = held.indexOf('\r\n\r\n');
    if (end < 0 && held.length < HEAD_BYTES) return;
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(held.toString('latin1', 0, 16))?.[1];
    if (end >= 0 && status?.startsWith('2') === true) {
      socket.pause();
      // Whatever came after the head belongs to the destination already.
      if (held.length > end + 4) socket.unshift(held.subarray(end + 4));
      resolve();
    } else reject(new AttemptFailure('refused', 'connect', `the proxy ${proxy.name} answered ${status ?? 'no HTTP'}`));
  };
  const onEnd = (): void =>
    reject(new AttemptFailure('reset', 'connect', `the proxy ${proxy.name} closed the connection`));
  const onAbort = (): void => reject(signal.reason);
  socket.on('data', onData);
  socket.on('error', reject);
  socket.once('close', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  const { username, password } = proxy.url;
  const authorization =
    username === '' ? '' : `Proxy-Authorization: ${basicAuthorization(decoded(username), decoded(password))}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  return promise.finally(() => {
    socket.off('data', onData);
    socket.off('close', onEnd);
    signal.removeEventListener('abort', onAbort);
  });
}
