import { type Appended, appendReplySchema, type AppendRequest, RPC } from '@tocsin/contracts';
import { type Clock, type Random, TocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { retryWithin } from './retry-within.js';

/**
 * One append attempt over NATS, in milliseconds. A leader that is killed never answers what it had taken, so this is what a failover
 * costs a request in flight, beside the takeover itself; a full commit queue takes about half of it.
 */
const FORWARD_TIMEOUT_MS = 1_000;

/** The leader of this process, as a writer sees it. */
export interface LocalLeader {
  readonly leading: boolean;
  append(request: AppendRequest): Promise<Appended[]>;
  /** Calls `listener` each time this process begins to lead. Returns what ends that. */
  onLeading(listener: () => void): () => void;
}

/** How long and how a caller waits. */
export interface WriteOptions {
  /** Milliseconds within which the append must be answered; covers a failover (≤ 2 s) by default. */
  deadlineMs?: number;
  /** Wait on overload too, instead of being told at once. */
  retryOverload?: boolean;
  signal?: AbortSignal;
}

/** Appends through whoever leads: directly where that is this process, which needs no broker, else over NATS. */
export class LogWriter {
  constructor(
    private readonly leader: LocalLeader,
    private readonly broker: Pick<Broker, 'request'>,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /**
   * Appends all events of the request or none; resolves after the commit. Retries what a retry can heal.
   * @throws TocsinError `TCN_VERSION_CONFLICT`, `TCN_KEY_REUSED`, `TCN_INVALID`, `TCN_OVERLOADED`; after the deadline also
   *   `TCN_UNAVAILABLE`, `TCN_TIMEOUT`, `TCN_FENCED` (the last two: the append may have happened; repeating it is safe)
   */
  append(request: AppendRequest, options: WriteOptions = {}): Promise<Appended[]> {
    return retryWithin(
      {
        clock: this.clock,
        random: this.random,
        deadlineMs: options.deadlineMs ?? 5_000,
        retryOverload: options.retryOverload ?? false,
        signal: options.signal,
      },
      (remainingMs) => (this.leader.leading ? this.leader.append(request) : this.#forward(request, remainingMs)),
    );
  }

  /** Asks the leader elsewhere; gives up at once when this process becomes the leader, because then nobody will answer. */
  async #forward(request: AppendRequest, remainingMs: number): Promise<Appended[]> {
    const here = Promise.withResolvers<never>();
    const off = this.leader.onLeading(() => here.reject(new TocsinError('TCN_UNAVAILABLE', 'the lead has changed')));
    try {
      const reply = this.broker.request(RPC.logAppend, request, {
        timeoutMs: Math.min(remainingMs, FORWARD_TIMEOUT_MS),
        schema: appendReplySchema,
        bundled: true,
      });
      return (await Promise.race([reply, here.promise])).events;
    } finally {
      off();
    }
  }
}
