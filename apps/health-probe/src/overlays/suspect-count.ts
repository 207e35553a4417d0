import {
  PROBE_RPC,
  suspectsReplySchema,
  suspectsRequestSchema,
  type SuspectsReply,
  type SuspectsRequest,
} from '@tocsin/contracts';
import { isTocsinError, recheckDelayMs, type Clock, type ObserverSeat } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import { groupOf, type Target } from '../targets/target.js';

/** Members wait for the answers. */
const ANSWER_MS = 1_000;
/** No look is waited for longer than this. */
const LOOK_COUNTS_MS = 15_000;
/** Members of a group that is looked at as a whole are probed within this time. */
const LOOK_MS = 1_000;

export interface SuspectCountDeps {
  observer: string;
  broker: Pick<Broker, 'request' | 'serve'>;
  clock: Clock;
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
  /** By group: when its members were last to be looked at, monotonic. */
  readonly #lookedMs = new Map<string, number>();
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

  /**
   * Members of the group that are suspect now, over all observers, or of which nothing has been heard since they were to be looked at. Infinite
   * where an observer is too busy to say: then nobody knows. Never rejects.
   */
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
          return isTocsinError(error, 'TCN_TIMEOUT') ? Number.POSITIVE_INFINITY : 0;
        }
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #answer({ group, look }: SuspectsRequest): SuspectsReply {
    const nowMs = this.#deps.clock.monotonicMs();
    if (look) this.#lookedMs.set(group, nowMs);
    const lookedMs = this.#lookedMs.get(group) ?? Number.NEGATIVE_INFINITY;
    const looking = nowMs - lookedMs < LOOK_COUNTS_MS;
    let suspects = 0;
    for (const target of this.#deps.own()) {
      if (groupOf(target.spec) !== group) continue;
      const { phase } = target.health;
      // Whoever says by himself that he is alive is not asked.
      const asked = phase === 'up' && target.heartbeat === undefined;
      if (phase === 'suspect' || (asked && looking && target.heardMs < lookedMs)) suspects += 1;
      if (look && asked) {
        const withinMs = Math.min(LOOK_MS, target.policy.intervalMs);
        this.#deps.probeIn(target, recheckDelayMs(target.subject, withinMs));
      }
    }
    return { suspects };
  }
}
