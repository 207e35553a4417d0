import type { Clock, RecordedEvent } from '@tocsin/domain';
import { type Broker, FollowerMeter, followLog } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { LogSource } from '../match/log-source.js';

/** The one reading of the log in this process, which can be set back when a shard arrives that is further behind. */
export class LogFeed {
  readonly #meter: FollowerMeter;
  #position = 0;
  #abort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: { broker: Broker; log: LogSource; logger: Logger; clock: Clock },
    /** Takes a batch, oldest first. It is offered again until it does not throw. */
    private readonly take: (events: RecordedEvent[]) => Promise<void>,
  ) {
    this.#meter = new FollowerMeter('delivery', parts.clock);
  }

  /** Position of the last event that was taken. */
  get position(): number {
    return this.#position;
  }

  /** Reads on from behind `after`, whatever was read before. */
  async startAfter(after: number): Promise<void> {
    await this.stop();
    this.#position = after;
    const abort = new AbortController();
    this.#abort = abort;
    this.#running = followLog(this.parts.broker, {
      after,
      read: async (from, limit) => this.parts.log.read({ after: from, limit }),
      onEvents: async (events) => {
        await this.take(events);
        this.#position = events.at(-1)?.position ?? this.#position;
      },
      signal: abort.signal,
      meter: this.#meter,
    }).catch((error: unknown) => {
      // followLog only ends when it is told to; anything else is a defect that must be seen.
      if (!abort.signal.aborted) this.parts.logger.fatal({ err: error }, 'the reading of the log has ended');
    });
  }

  /** Ends the reading; resolves when the batch under way is taken. */
  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#running;
  }
}
