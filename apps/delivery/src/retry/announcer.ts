import { appendReplySchema, RPC } from '@tocsin/contracts';
import { isTocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { type Logger, pause } from '@tocsin/platform';
import type { AnnouncementRecord } from '../ledger/records.js';
import type { ShardLedger } from '../ledger/shard-ledger.js';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

/**
 * Brings delivery's own events into the log. Each has a row from the batch that caused it until it is appended, and an id that the
 * log knows it by, so it is told once whoever crashes in between.
 */
export class Announcer {
  #queue: AnnouncementRecord[] = [];
  #running = false;

  constructor(
    private readonly parts: { broker: Pick<Broker, 'request'>; logger: Logger },
    private readonly ledger: ShardLedger,
    private readonly signal: AbortSignal,
  ) {}

  /** A new one: its row goes into the batch being gathered. */
  announce(record: AnnouncementRecord): void {
    this.take(
      [record],
      this.ledger.write((batch) => batch.announcement(record)),
    );
  }

  /** Those that the last owner left, or whose row is being written. They go out in this order. */
  take(records: readonly AnnouncementRecord[], written: Promise<void> = Promise.resolve()): void {
    written.then(
      () => {
        this.#queue.push(...records);
        if (!this.#running) void this.#run();
      },
      // The shard has another owner now, who finds the rows, or the attempts that cause them once more.
      () => undefined,
    );
  }

  async #run(): Promise<void> {
    this.#running = true;
    let waitMs = RETRY_MIN_MS;
    for (let next = this.#queue[0]; next !== undefined && !this.signal.aborted; next = this.#queue[0]) {
      try {
        await this.parts.broker.request(RPC.logAppend, { events: [next.event] }, { schema: appendReplySchema });
      } catch (error) {
        if (!isTocsinError(error) || error.retryable) {
          this.parts.logger.warn({ err: error, event: next.event }, 'event not appended, trying again');
          // Aborted while waiting is what ends the wait.
          await pause(waitMs, this.signal);
          waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
          continue;
        }
        this.parts.logger.error({ err: error, event: next.event }, 'the log refuses an event of its own service');
      }
      waitMs = RETRY_MIN_MS;
      const { id } = next;
      this.ledger.note((batch) => batch.announced(id));
      this.#queue.shift();
    }
    this.#running = false;
  }
}
