import { appendRequestSchema, RPC } from '@tocsin/contracts';
import type { Broker } from '@tocsin/jetstream';
import type { LeaderDuty } from './append-leader.js';
import type { LocalLeader } from './log-writer.js';

/** Answers append requests of other processes, while this one leads and only then. */
export class AppendRpc implements LeaderDuty {
  #served: { close(): Promise<void> } | undefined;

  /** @param maxWaiting requests in hand at once; each holds an event at least, so the appender's own bound is met before */
  constructor(
    private readonly broker: Pick<Broker, 'serve'>,
    private readonly maxWaiting: number,
  ) {}

  begin(leader: LocalLeader): void {
    this.#served = this.broker.serve(RPC.logAppend, {
      // A stale leader that has not noticed yet must not answer beside the new one: one of them gets the request, and what the
      // stale one gets is fenced and retried.
      queue: 'append-leader',
      schema: appendRequestSchema,
      // Appends gather to share a commit: a request that waited for its turn before that would only be late.
      concurrency: this.maxWaiting,
      maxWaiting: 0,
      handle: async (request) => ({ events: await leader.append(request) }),
    });
  }

  async end(): Promise<void> {
    await this.#served?.close();
    this.#served = undefined;
  }
}
