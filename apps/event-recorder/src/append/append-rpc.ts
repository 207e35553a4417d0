import { appendPartSchema, appendRequestSchema, RPC } from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import { type Broker, PartGatherer } from '@tocsin/jetstream';
import type { LeaderDuty } from './append-leader.js';
import type { LocalLeader } from './log-writer.js';

/** Answers append requests of other processes, while this one leads and only then. */
export class AppendRpc implements LeaderDuty {
  #served: readonly { close(): Promise<void> }[] = [];

  /** @param maxWaiting requests in hand at once; each holds an event at least, so the appender's own bound is met before */
  constructor(
    private readonly broker: Pick<Broker, 'serve'>,
    private readonly maxWaiting: number,
    private readonly clock: Clock,
  ) {}

  begin(leader: LocalLeader): void {
    // A stale leader that has not noticed yet must not answer beside the new one: one of them gets the request, and what the
    // stale one gets is fenced and retried.
    const queue = 'append-leader';
    const gatherer = new PartGatherer((request) => leader.append(request), this.clock);
    this.#served = [
      this.broker.serve(RPC.logAppend, {
        queue,
        schema: appendRequestSchema,
        // Appends gather to share a commit: a request that waited for its turn before that would only be late.
        concurrency: this.maxWaiting,
        maxWaiting: 0,
        bundled: true,
        handle: async (request) => ({ events: await leader.append(request) }),
      }),
      this.broker.serve(RPC.logAppendPart, {
        queue,
        schema: appendPartSchema,
        concurrency: this.maxWaiting,
        maxWaiting: 0,
        handle: (part) => gatherer.take(part),
      }),
    ];
  }

  async end(): Promise<void> {
    await Promise.all(this.#served.map((served) => served.close()));
    this.#served = [];
  }
}
