import {
  type AppendRequest,
  HEALTH_PROBE_SOURCE,
  readReplySchema,
  RPC,
  targetSubject,
  type TargetKind,
} from '@tocsin/contracts';
import {
  type Clock,
  type CloudEvent,
  type EventToAppend,
  type ExtensionValue,
  fromCloudEvent,
  isTocsinError,
  type JsonObject,
  newId,
  type RecordedEvent,
} from '@tocsin/domain';
import { appendAll, type Broker, latestReader } from '@tocsin/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { REGISTRY_SOURCE } from '../projection/change.js';
import { STATE_FACTS } from '../targets/closing-event.js';

/** An append is asked for again until this long has passed: a failover of the append leader takes 2 s. */
const APPEND_DEADLINE_MS = 10_000;
/** One question to the log. */
const TRY_TIMEOUT_MS = 3_000;
const PAUSE_MS = 200;
/** What one event adds to the time in which an append is recorded and shown: some ten times what two idle cores take. */
const PER_EVENT_MS = 5;
/** As long as a lone event may take: the relay's usual way takes milliseconds, a failover of the append leader 2 s. */
const SHOWN_MS = 10_000;
/** Events read at once; the recorder ends a page earlier where they are large. */
const PAGE = 1_000;
const PAGE_TIMEOUT_MS = 10_000;

/** The part of the broker this needs. */
export type Requester = Pick<Broker, 'request'>;

/** Resolves when the projection holds everything up to a position. */
export interface Awaiting {
  /** Position it is known to hold. */
  readonly reached: number;
  waitFor(position: number, timeoutMs?: number): Promise<void>;
}

/** A change the registry wants recorded. */
export interface Declaration {
  readonly type: string;
  readonly subject: string;
  readonly data: JsonObject;
  /** Default: the registry. */
  readonly source?: string;
  readonly extensions?: Record<string, ExtensionValue>;
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
   * Appends all of `declarations` or none, however many they are, and returns once they can be read back.
   * @throws TocsinError `TCN_VERSION_CONFLICT` if a subject has moved on, nothing is recorded then; `TCN_UNAVAILABLE` or `TCN_TIMEOUT`
   *   if no leader answered in time: whether they were recorded is then unknown, and the next read shows it
   */
  async append(declarations: readonly Declaration[]): Promise<void> {
    const now = this.#clock.now();
    const time = new Date(now).toISOString();
    const position = await this.#appendOnce({
      events: declarations.map(({ type, subject, data, source, extensions }): EventToAppend => ({
        id: newId('evt', now),
        source: source ?? REGISTRY_SOURCE,
        type,
        subject,
        time,
        ...(extensions === undefined ? {} : { extensions }),
        data,
      })),
      expect: Object.fromEntries(
        declarations.map(({ subject, expectedVersion }): [string, number] => [subject, expectedVersion]),
      ),
    });
    await this.#projection.waitFor(position, SHOWN_MS + PER_EVENT_MS * declarations.length);
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

  /**
   * A page of the log, in order, after a position.
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async page(after: number): Promise<RecordedEvent[]> {
    const options = { timeoutMs: PAGE_TIMEOUT_MS, schema: readReplySchema };
    const { events } = await this.#broker.request(RPC.logRead, { after, limit: PAGE }, options);
    return events.map((event) => fromCloudEvent(event as CloudEvent));
  }

  /**
   * The newest word on the state of each of some targets, and the version its subject is at.
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where no recorder answers
   */
  async newestStates<T extends { kind: TargetKind; name: string }>(
    targets: readonly T[],
  ): Promise<(T & { newest: RecordedEvent | undefined; version: number })[]> {
    const subjectOf = ({ kind, name }: T) => targetSubject(kind, name);
    const kinds = [...new Set(targets.map(({ kind }) => kind))];
    const request = {
      subjects: targets.map(subjectOf),
      types: kinds.flatMap((kind) => STATE_FACTS.map((fact) => `io.tocsin.${kind}.${fact}`)),
      source: HEALTH_PROBE_SOURCE,
    };
    const { events, versions } = await latestReader(this.#broker)(request);
    const newest = new Map(events.map((event) => [event.subject, event]));
    return targets.map((target) => ({
      ...target,
      newest: newest.get(subjectOf(target)),
      version: versions[subjectOf(target)] ?? 0,
    }));
  }

  /** Asks again with the same ids while no answer comes; the log knows them, so nothing is recorded twice. */
  async #appendOnce(request: AppendRequest): Promise<number> {
    const deadline = this.#clock.monotonicMs() + APPEND_DEADLINE_MS + PER_EVENT_MS * request.events.length;
    for (;;) {
      try {
        return await appendAll(this.#broker, request);
      } catch (error) {
        const again = isTocsinError(error) && error.retryable && this.#clock.monotonicMs() + PAUSE_MS < deadline;
        if (!again) throw error;
        await delay(Math.max(PAUSE_MS, error.retryAfterMs ?? 0));
      }
    }
  }
}
