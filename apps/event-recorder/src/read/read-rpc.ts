import {
  eventGetRequestSchema,
  eventsBeforeRequestSchema,
  latestRequestSchema,
  LOG_LOOK_RPC,
  readRequestSchema,
  RPC,
} from '@tocsin/contracts';
import { toCloudEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { LogReader } from './log-reader.js';

/**
 * Bytes of events in one reply over NATS: the server takes messages of 1 MiB by default, and the envelope and a generous margin
 * must fit beside it.
 */
const REPLY_BYTES = 700 * 1024;

/** Any replica may answer. */
const QUEUE = 'event-recorder';

/** Answers reads of other services over NATS, on every replica. */
export class ReadRpc {
  #served: { close(): Promise<void> }[] = [];

  constructor(
    private readonly broker: Pick<Broker, 'serve'>,
    private readonly log: LogReader,
  ) {}

  start(): void {
    this.#served = [
      this.broker.serve(RPC.logRead, {
        queue: QUEUE,
        schema: readRequestSchema,
        handle: async ({ after, limit, types, subject }) => {
          const page = await this.log.page({ after, limit, types, subject, maxBytes: REPLY_BYTES });
          return { events: page.events.map(({ event }) => toCloudEvent(event)), next: page.next, head: page.head };
        },
      }),
      this.broker.serve(RPC.logLatest, {
        queue: QUEUE,
        schema: latestRequestSchema,
        handle: async (request) => {
          const { events, versions, answered } = await this.log.latest(request, REPLY_BYTES);
          return { events: events.map(toCloudEvent), versions, answered };
        },
      }),
      this.broker.serve(LOG_LOOK_RPC.before, {
        queue: QUEUE,
        schema: eventsBeforeRequestSchema,
        handle: async (request) => {
          const page = await this.log.page({ ...request, after: 0, direction: 'backward', maxBytes: REPLY_BYTES });
          return { events: page.events.map(({ event }) => toCloudEvent(event)) };
        },
      }),
      this.broker.serve(LOG_LOOK_RPC.get, {
        queue: QUEUE,
        schema: eventGetRequestSchema,
        handle: async ({ key }) => {
          const event = await this.log.get(key);
          return event === undefined ? {} : { event: toCloudEvent(event) };
        },
      }),
    ];
  }

  /** Answers what it has taken, takes no more. */
  async stop(): Promise<void> {
    await Promise.all(this.#served.map((served) => served.close()));
    this.#served = [];
  }
}
