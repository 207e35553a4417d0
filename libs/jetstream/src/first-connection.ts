import { TocsinError } from '@tocsin/domain';
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  type Server,
} from '@nats-io/transport-node';

/** The least a server is given to answer, milliseconds, however many there are to ask. */
const LEAST_PER_SERVER_MS = 1_000;

/**
 * Makes the first connection: asks every server once, those included that the first ones name, until one takes it or the time is over.
 * After that the connection comes back by the options alone. Without this bound the client would go round a cluster that refuses the
 * credentials for ever: it drops the server that refused, and the next one names it again.
 * @param hosts `host:port` each
 * @param timeoutMs for all of them together, exceeded by what the last one takes at most
 * @throws TocsinError `TCN_CONFIG` (credentials refused), `TCN_NATS_UNREACHABLE`; both name the hosts alone
 */
export async function connectFirst(
  hosts: string[],
  options: NodeConnectionOptions,
  timeoutMs: number,
): Promise<NatsConnection> {
  const endMs = performance.now() + timeoutMs;
  const perServerMs = Math.max(LEAST_PER_SERVER_MS, Math.floor(timeoutMs / hosts.length));
  const bounded = { ...options, servers: hosts, timeout: perServerMs };
  const round = new FirstRound(endMs);
  try {
    const nats = await connect({ ...bounded, reconnectToServer: (pool) => round.next(pool) });
    round.end();
    return nats;
  } catch (error) {
    throw refusal(hosts, round.exhausted ? await whyNot(bounded, endMs) : error);
  }
}

/** Which server is asked next, while there is no connection yet. */
class FirstRound {
  readonly #asked = new Set<string>();
  #made = false;
  /** Every server there is was asked. */
  exhausted = false;

  constructor(private readonly endMs: number) {}

  /** There is a connection: from now on the client chooses by itself. */
  end(): void {
    this.#made = true;
  }

  next(pool: readonly Server[]): Server | null {
    if (this.#made) return null;
    const server = pool.find(({ listen }) => !this.#asked.has(listen));
    this.exhausted = server === undefined;
    // The client has no other way to be stopped before it is connected.
    if (server === undefined) throw new Error('every server was asked');
    if (performance.now() >= this.endMs) throw new Error('the time is over');
    this.#asked.add(server.listen);
    return server;
  }
}

/** The servers' own reason, which is lost when the client is stopped: asked for once more, of those alone that were named by the user. */
async function whyNot(options: NodeConnectionOptions, endMs: number): Promise<unknown> {
  const round = new FirstRound(Math.max(endMs, performance.now() + LEAST_PER_SERVER_MS));
  try {
    const nats = await connect({
      ...options,
      ignoreClusterUpdates: true,
      reconnect: false,
      reconnectToServer: (pool) => round.next(pool),
    });
    await nats.close();
    return new Error('the servers refused at first, and took the connection when they were asked again');
  } catch (error) {
    return error;
  }
}

function refusal(hosts: string[], cause: unknown): TocsinError {
  const where = hosts.join(', ');
  if (cause instanceof AuthorizationError) {
    return new TocsinError('TCN_CONFIG', `NATS at ${where} refuses these credentials`, { cause });
  }
  return new TocsinError('TCN_NATS_UNREACHABLE', `NATS at ${where} cannot be reached`, { cause });
}
