import { HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import { isTocsinError, newId, type Clock, type EventToAppend, type JsonObject } from '@tocsin/domain';
import { type Logger, pause, Pump } from '@tocsin/platform';
import type { HealthLog } from './health-log.js';

const RETRY_MS = { first: 100, longest: 5_000 };
/** An observer that is cut off for days still says so in a few words. */
const MOST_HELD = 256;

/** What the observer says of itself: events without an expected version, held in order until they are committed. */
export class Journal {
  readonly #log: HealthLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #held: EventToAppend[] = [];
  readonly #abort = new AbortController();
  readonly #writing = new Pump(() => this.#write());

  constructor(log: HealthLog, clock: Clock, logger: Logger) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Records an event that is true since `timeMs`. */
  say(type: string, subject: string, data: JsonObject, timeMs = this.#clock.now()): void {
    if (this.#held.length >= MOST_HELD) this.#held.splice(1, 1);
    this.#held.push({
      id: newId('evt', this.#clock.now()),
      source: HEALTH_PROBE_SOURCE,
      type,
      subject,
      time: new Date(timeMs).toISOString(),
      datacontenttype: 'application/json',
      data,
    });
    void this.#writing.wake();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#writing.idle();
  }

  async #write(): Promise<void> {
    const { signal } = this.#abort;
    let retryMs = RETRY_MS.first;
    for (let event = this.#held[0]; event !== undefined && !signal.aborted; event = this.#held[0]) {
      try {
        await this.#log.append({ events: [event] });
        this.#held.shift();
        retryMs = RETRY_MS.first;
        this.#logger.info({ event: event.id, type: event.type, subject: event.subject, data: event.data }, event.type);
      } catch (error) {
        if (signal.aborted) return;
        if (isTocsinError(error) && error.retryable) {
          await pause(retryMs, signal);
          retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
        } else {
          this.#logger.error({ err: error, event }, 'the log refuses an event of this observer');
          this.#held.shift();
        }
      }
    }
  }
}
