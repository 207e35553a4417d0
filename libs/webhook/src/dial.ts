import { isIP, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { isTocsinError } from '@tocsin/domain';
import { orAborted } from './abort.js';
import { type EgressPolicy, hostOf, portOf } from './egress.js';
import { AttemptFailure, type AttemptPhase, failureOf, type PhasesMs } from './outcome.js';
import { openTunnel, type ForwardProxy } from './proxy.js';
import type { HostResolver } from './resolver.js';
import { connectFirst } from './tcp.js';
import { handshake } from './tls-handshake.js';

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
  /** The way out for https; names are then resolved, and their addresses judged, by the proxy. */
  proxy?: ForwardProxy | undefined;
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
 * Resolves, vets, connects and, for https and smtps, handshakes. Connects to nothing but an address that was vetted here: the name is not
 * resolved a second time, so a name server that changes its answer gains nothing.
 * @param secureContext asked for only when a handshake begins
 * @throws AttemptFailure
 */
export async function dial(url: URL, secureContext: () => SecureContext, context: DialContext): Promise<Dialled> {
  const connected = await dialTcp(url, context);
  if (url.protocol !== 'https:' && url.protocol !== 'smtps:') return connected;
  try {
    const socket = await timed('tls', context.limits.tlsMs, context, (signal) =>
      handshake(connected.socket, hostOf(url), secureContext(), signal, url.protocol === 'https:'),
    );
    return { ...connected, socket };
  } catch (error) {
    connected.socket.destroy();
    throw error;
  }
}

async function dialTcp(url: URL, context: DialContext): Promise<Dialled> {
  const { connectMs } = context.limits;
  const host = hostOf(url);
  const port = portOf(url);
  const { proxy } = context;
  if (proxy !== undefined && url.protocol === 'https:' && !proxy.bypasses(host)) {
    vetted(() => context.egress.checkTarget(url));
    const socket = await timed('connect', connectMs, context, (signal) =>
      openTunnel(proxy, { host, port }, context.resolver, signal),
    );
    return { socket, address: `${proxy.name} → ${host}:${port}` };
  }
  const addresses = await resolveAndVet(url, host, context);
  const { socket, address } = await timed('connect', connectMs, context, (signal) =>
    connectFirst(addresses, port, signal),
  );
  return { socket, address: isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}` };
}

async function resolveAndVet(url: URL, host: string, context: DialContext): Promise<readonly string[]> {
  vetted(() => context.egress.checkTarget(url));
  if (isIP(host) !== 0) return [host];
  const addresses = await timed('dns', context.limits.dnsMs, context, () => context.resolver.resolve(host));
  vetted(() => context.egress.vet(addresses, url.protocol));
  return addresses;
}

/** Runs a check of the policy; its refusal ends the attempt before anything is sent. */
function vetted(check: () => void): void {
  try {
    check();
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
    signal.throwIfAborted();
    return await orAborted(work(signal), signal);
  } catch (error) {
    throw failureOf(error, phase);
  } finally {
    clearTimeout(timer);
    context.phasesMs[phase] = context.monotonicMs() - startedMs;
  }
}
