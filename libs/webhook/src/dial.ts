import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { isTocsinError } from '@tocsin/domain';
import { type EgressPolicy, hostOf } from './egress.js';
import { AttemptFailure, type AttemptPhase, failureOf, type PhasesMs } from './outcome.js';
import type { HostResolver } from './resolver.js';

/** A further address is tried beside a slow one after this time (RFC 8305 § 5), milliseconds. */
const NEXT_ADDRESS_MS = 250;

/** Milliseconds each phase may take at most. */
export interface PhaseLimits {
  dnsMs: number;
  connectMs: number;
  tlsMs: number;
  firstByteMs: number;
}

/** What a dialler needs from its attempt. */
export interface DialContext {
  egress: EgressPolicy;
  resolver: HostResolver;
  limits: PhaseLimits;
  /** Fires with an {@link AttemptFailure} as its reason when the attempt is over. */
  signal: AbortSignal;
  /** Filled in as phases end. */
  phasesMs: Omit<PhasesMs, 'total'>;
  /** Told when a phase begins. */
  enter: (phase: AttemptPhase) => void;
  monotonicMs: () => number;
}

/** An open connection to a vetted address. */
export interface Dialled {
  socket: Socket;
  /** `address:port`. */
  address: string;
}

/**
 * Resolves, vets, connects and, for https, handshakes. Connects to nothing but an address that was vetted here: the name is not
 * resolved a second time, so a name server that changes its answer gains nothing.
 * @param secureContext asked for only when a handshake begins
 * @throws AttemptFailure
 */
export async function dial(url: URL, secureContext: () => SecureContext, context: DialContext): Promise<Dialled> {
  const host = hostOf(url);
  const addresses = await resolveAndVet(url, host, context);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const tcp = await timed('connect', context.limits.connectMs, context, (signal) =>
    connectFirst(addresses, port, signal),
  );
  const dialled = {
    socket: tcp.socket,
    address: isIP(tcp.address) === 6 ? `[${tcp.address}]:${port}` : `${tcp.address}:${port}`,
  };
  if (url.protocol !== 'https:') return dialled;
  try {
    const socket = await timed('tls', context.limits.tlsMs, context, async (signal) =>
      handshake(tcp.socket, host, secureContext(), signal),
    );
    return { ...dialled, socket };
  } catch (error) {
    tcp.socket.destroy();
    throw error;
  }
}

async function resolveAndVet(url: URL, host: string, context: DialContext): Promise<readonly string[]> {
  try {
    context.egress.checkTarget(url);
    if (isIP(host) !== 0) return [host];
    const addresses = await timed('dns', context.limits.dnsMs, context, () => context.resolver.resolve(host));
    context.egress.vet(addresses, url.protocol);
    return addresses;
  } catch (error) {
    if (!isTocsinError(error)) throw error;
    throw new AttemptFailure('egress-blocked', undefined, error.message, { cause: error });
  }
}

/** Runs one phase: within its limit, until the attempt ends, its time noted, its errors sorted. */
async function timed<T>(
  phase: 'dns' | 'connect' | 'tls',
  limitMs: number,
  context: DialContext,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  context.enter(phase);
  const startedMs = context.monotonicMs();
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(new AttemptFailure('timeout', phase, `${phase}: nothing within ${limitMs} ms`));
  }, limitMs);
  const signal = AbortSignal.any([context.signal, limit.signal]);
  try {
    return await orAborted(work(signal), signal);
  } catch (error) {
    throw failureOf(error, phase);
  } finally {
    clearTimeout(timer);
    context.phasesMs[phase] = context.monotonicMs() - startedMs;
  }
}

/** The promise, or the signal's reason if that comes first; what the promise does afterwards is nobody's concern. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Connects to the first address that answers: one after the other, the next one also when the one before is slow. */
function connectFirst(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<{ socket: Socket; address: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; address: string }>();
  const waiting = [...addresses];
  const trying = new Set<Socket>();
  let firstError: unknown;
  let timer: NodeJS.Timeout | undefined;

  const finish = (settle: () => void, kept?: Socket): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    for (const socket of trying) if (socket !== kept) socket.destroy();
    trying.clear();
    settle();
  };
  const onAbort = (): void => finish(() => reject(signal.reason));
  const tryNext = (): void => {
    clearTimeout(timer);
    const address = waiting.shift();
    if (address === undefined) {
      if (trying.size === 0) finish(() => reject(firstError));
      return;
    }
    const socket = connectTcp({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    trying.add(socket);
    socket.once('connect', () => {
      // A loser that connects in the same tick as the winner was destroyed there, and is no longer in the set.
      if (trying.has(socket)) finish(() => resolve({ socket, address }), socket);
    });
    // Stays for the socket's life: an error without a listener would end the process.
    socket.on('error', (error) => {
      if (!trying.delete(socket)) return;
      firstError ??= error;
      tryNext();
    });
    if (waiting.length > 0) timer = setTimeout(tryNext, NEXT_ADDRESS_MS);
  };

  signal.addEventListener('abort', onAbort, { once: true });
  tryNext();
  return promise;
}

function handshake(tcp: Socket, host: string, secureContext: SecureContext, signal: AbortSignal): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls({
    socket: tcp,
    host,
    // SNI takes names only (RFC 6066 § 3); the certificate of a literal is checked against `host`.
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    secureContext,
  });
  const onAbort = (): void => {
    socket.destroy();
    reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('secureConnect', () => {
    signal.removeEventListener('abort', onAbort);
    resolve(socket);
  });
  socket.on('error', reject);
  // A peer that closes in the middle of the handshake says so by `close` alone in some versions of TLS.
  socket.once('close', () =>
    reject(Object.assign(new Error('the connection closed during the TLS handshake'), { code: 'ECONNRESET' })),
  );
  return promise;
}
