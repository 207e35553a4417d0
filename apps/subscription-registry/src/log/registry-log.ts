import { type Appended, appendReplySchema, type AppendRequest, readReplySchema, RPC } from '@tocsin/contracts';
import { type Clock, type EventToAppend, isTocsinError, type JsonObject, newId } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { REGISTRY_SOURCE } from '../projection/change.js';

/** An append is asked for again until this long has passed: a failover of the append leader takes 2 s. */
const APPEND_DEADLINE_MS = 10_000;
/** One try; the leader answers within milliseconds of its commit. */
const TRY_TIMEOUT_MS = 3_000;
const PAUSE_MS = 200;

/** The part of the broker this needs. */
export type Requester = Pick<Broker, 'request'>;

/** Resolves when the projection holds everything up to a position. */
export interface Awaiting {
  /** Position it is known to hold. */
  readonly reached: number;
  waitFor(position: number): Promise<void>;
}

/** A change the registry wants recorded. */
export interface Declaration {
  readonly type: string;
  readonly subject: string;
  readonly data: JsonObject;
  /** Version the subject must be at; 0 = it has no event yet. */
  readonly expectedVersion: number;
}

/** Appends the registry's events, through the append leader, and waits until its own projection shows them. */
export class RegistryLog {
  readonly #broker: Requester;
  readonly #projection: Awaiting;
  readonly #clock: Clock;

  constructor(broker: Requester, projection: Awaiting, clock: Clock) {
    this.#broker = broker;
    this.#projection = projection;
    this.#clock = clock;
  }

  /**
   * Appends all of `declarations` or none, and returns once they can be read back.
   * @throws TocsinError `TCN_VERSION_CONFLICT` if a subject has moved on, nothing is recorded then; `TCN_UNAVAILABLE` or `TCN_TIMEOUT`
   *   if no leader answered in time: whether they were recorded is then unknown, and the next read shows it
   */
  async append(declarations: readonly Declaration[]): Promise<void> {
    const now = this.#clock.now();
    const time = new Date(now).toISOString();
    const appended = await this.#appendOnce({
      events: declarations.map(({ type, subject, data }): EventToAppend => ({
        id: newId('evt', now),
        source: REGISTRY_SOURCE,
        type,
        subject,
        time,
        data,
      })),
      expect: Object.fromEntries(
        declarations.map(({ subject, expectedVersion }): [string, number] => [subject, expectedVersion]),
      ),
    });
    await this.#projection.waitFor(Math.max(...appended.map((event) => event.position)));
  }

  /** Waits until the projection shows what the log holds now. @throws TocsinError as {@link append} */
  async catchUp(): Promise<void> {
    await this.#projection.waitFor(await this.head());
  }

  /** Position of the last event of the log. @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers */
  async head(): Promise<number> {
    const options = { timeoutMs: TRY_TIMEOUT_MS, schema: readReplySchema };
    const page = await this.#broker.request(RPC.logRead, { after: this.#projection.reached, limit: 1 }, options);
    return page.head;
  }

  /** Asks again with the same ids while no answer comes; the log knows them, so nothing is recorded twice. */
  async #appendOnce(request: AppendRequest): Promise<Appended[]> {
    const deadline = this.#clock.monotonicMs() + APPEND_DEADLINE_MS;
    for (;;) {
      try {
        const reply = await this.#broker.request(RPC.logAppend, request, {
          timeoutMs: TRY_TIMEOUT_MS,
          schema: appendReplySchema,
        });
        return reply.events;
      } catch (error) {
        const again = isTocsinError(error) && error.retryable && this.#clock.monotonicMs() + PAUSE_MS < deadline;
        if (!again) throw error;
        await delay(Math.max(PAUSE_MS, error.retryAfterMs ?? 0));
      }
    }
  }
}
