import {
  PROBE_RPC,
  suspectsReplySchema,
  suspectsRequestSchema,
  type SuspectsReply,
  type SuspectsRequest,
} from '@tocsin/contracts';
import { recheckDelayMs, type ObserverSeat } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import { groupOf, type Target } from '../targets/target.js';

/** Members wait for the answers; who is slower than this has none. */
const ANSWER_MS = 1_000;
/** Members of a group that is looked at as a whole are probed within this time. */
const LOOK_MS = 1_000;

export interface SuspectCountDeps {
  observer: string;
  broker: Pick<Broker, 'request' | 'serve'>;
  logger: Logger;
  seats: () => readonly ObserverSeat[];
  /** The targets that this observer watches. */
  own: () => Iterable<Target>;
  /** Probe this target again so much later. */
  probeIn: (target: Target, delayMs: number) => void;
}

/** Knows how many members of a group fail without being confirmed yet, with whichever observer, and has them all looked at. */
export class SuspectCount {
  readonly #deps: SuspectCountDeps;
  #serving: Serving | undefined;

  constructor(deps: SuspectCountDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { broker, observer } = this.#deps;
    this.#serving = broker.serve(`${PROBE_RPC.suspectsPrefix}.${observer}`, {
      schema: suspectsRequestSchema,
      handle: (request) => Promise.resolve(this.#answer(request)),
    });
  }

  async stop(): Promise<void> {
    await this.#serving?.close();
  }

  /** Members of the group that are suspect now, over all observers. Never rejects. */
  count(group: string): Promise<number> {
    return this.#ask({ group, look: false });
  }

  /** Has the members that are not suspect probed soon, instead of when their turn comes. Never rejects. */
  async look(group: string): Promise<void> {
    await this.#ask({ group, look: true });
  }

  async #ask(request: SuspectsRequest): Promise<number> {
    const { broker, logger, seats } = this.#deps;
    const options = { timeoutMs: ANSWER_MS, schema: suspectsReplySchema };
    const counts = await Promise.all(
      seats().map(async ({ id }) => {
        try {
          return (await broker.request(`${PROBE_RPC.suspectsPrefix}.${id}`, request, options)).suspects;
        } catch (error) {
          logger.debug({ err: error, observer: id }, 'an observer does not say who is suspect with it');
          return 0;
        }
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #answer({ group, look }: SuspectsRequest): SuspectsReply {
    let suspects = 0;
    for (const target of this.#deps.own()) {
      if (groupOf(target.spec) !== group) continue;
      const { phase } = target.health;
      if (phase === 'suspect') suspects += 1;
      // Whoever says by himself that he is alive is not asked.
      else if (look && phase === 'up' && target.heartbeat === undefined) {
        const withinMs = Math.min(LOOK_MS, target.policy.intervalMs);
        this.#deps.probeIn(target, recheckDelayMs(target.subject, withinMs));
      }
    }
    return { suspects };
  }
}
