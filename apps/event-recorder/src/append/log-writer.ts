import { type Appended, appendReplySchema, type AppendRequest, RPC } from '@tocsin/contracts';
import type { Clock, Random } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { retryWithin } from './retry-within.js';

/** One append attempt over NATS, in milliseconds: long enough for a full commit queue, short enough to meet a new leader. */
const FORWARD_TIMEOUT_MS = 2_000;

/** The leader of this process, as a writer sees it. */
export interface LocalLeader {
  readonly leading: boolean;
  append(request: AppendRequest): Promise<Appended[]>;
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

  async #forward(request: AppendRequest, remainingMs: number): Promise<Appended[]> {
    const reply = await this.broker.request(RPC.logAppend, request, {
      timeoutMs: Math.min(remainingMs, FORWARD_TIMEOUT_MS),
      schema: appendReplySchema,
    });
    return appendReplySchema.parse(reply).events;
  }
}
