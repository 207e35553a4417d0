import {
  BEAT_PREFIX,
  beatReplySchema,
  beatSchema,
  HEARTBEAT_SUBJECT,
  heartbeatSchema,
  type Heartbeat,
} from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';

/** Any observer may be given a heartbeat. */
const QUEUE = 'health-probe';
/** Whoever sent it waits. */
const HAND_OVER_MS = 2_000;
/** Targets move within seconds when an observer dies. */
const RETRY_AFTER_MS = 1_000;
const AT_ONCE = 1_000;
const WAITING = 10_000;

export interface HeartbeatIntakeDeps {
  observer: string;
  broker: Pick<Broker, 'serve' | 'request'>;
  /** What is declared is known. */
  synced: () => boolean;
  /** Target of a token. */
  find: (token: string) => string | undefined;
  /** Takes a heartbeat of an own target; false where it is not this observer's. */
  take: (target: string, beat: Heartbeat) => boolean;
  /** Who watches a target. */
  ownerOf: (target: string) => string | undefined;
}

/** Takes heartbeats, over HTTP and NATS, and brings each to the observer that watches its target. */
export class HeartbeatIntake {
  readonly #deps: HeartbeatIntakeDeps;
  #serving: Serving[] = [];

  constructor(deps: HeartbeatIntakeDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { broker, observer, take } = this.#deps;
    const room = { concurrency: AT_ONCE, maxWaiting: WAITING };
    this.#serving = [
      broker.serve(`${HEARTBEAT_SUBJECT}.*`, {
        ...{ queue: QUEUE, schema: heartbeatSchema, ...room },
        handle: async (beat, { subject }) => {
          await this.accept(subject.slice(HEARTBEAT_SUBJECT.length + 1), beat);
          return {};
        },
      }),
      broker.serve(`${BEAT_PREFIX}.${observer}`, {
        ...{ schema: beatSchema, ...room },
        handle: ({ target, beat }) => Promise.resolve({ taken: take(target, beat) }),
      }),
    ];
  }

  async stop(): Promise<void> {
    await Promise.all(this.#serving.splice(0).map((serving) => serving.close()));
  }

  /**
   * Resolves when the observer that watches the target has it.
   * @throws TocsinError `TCN_NOT_FOUND`; `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where it did not get there, and may be sent again
   */
  async accept(token: string, beat: Heartbeat): Promise<void> {
    const { broker, observer, synced, find, take, ownerOf } = this.#deps;
    const target = find(token);
    if (target === undefined) {
      if (!synced()) throw unavailable('the declared targets are not known yet');
      throw new TocsinError('TCN_NOT_FOUND', 'there is no such heartbeat');
    }
    if (take(target, beat)) return;
    const owner = ownerOf(target);
    if (owner === undefined || owner === observer) throw unavailable('nobody watches the target at the moment');
    const options = { schema: beatReplySchema, timeoutMs: HAND_OVER_MS };
    const { taken } = await broker.request(`${BEAT_PREFIX}.${owner}`, { target, beat }, options);
    if (!taken) throw unavailable('the target is just changing hands');
  }
}

function unavailable(detail: string): TocsinError {
  return new TocsinError('TCN_UNAVAILABLE', detail, { retryAfterMs: RETRY_AFTER_MS });
}
