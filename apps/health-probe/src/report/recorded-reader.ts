import { isTocsinError } from '@tocsin/domain';
import { type Logger, pause, Pump } from '@tocsin/platform';
import type { Target } from '../targets/target.js';
import type { HealthLog } from './health-log.js';
import { lifeSubject, recordedState, type RecordedState } from './recorded-state.js';

/** Targets whose state is read in one request: about 250 KiB of answers, a quarter of what a message may hold. */
const BATCH = 250;
const RETRY_MS = { first: 100, longest: 5_000 };

/** Reads announced states out of the log, many in one request, for as long as it takes to get them. */
export class RecordedReader {
  readonly #log: HealthLog;
  readonly #logger: Logger;
  readonly #onRead: (target: Target, recorded: RecordedState) => void;
  readonly #wanted = new Map<string, Target>();
  readonly #abort = new AbortController();
  readonly #reading = new Pump(() => this.#read());

  constructor(log: HealthLog, logger: Logger, onRead: (target: Target, recorded: RecordedState) => void) {
    this.#log = log;
    this.#logger = logger;
    this.#onRead = onRead;
  }

  /** Reads what the log says of `target`, soon and together with others. */
  want(target: Target): void {
    if (this.#abort.signal.aborted) return;
    this.#wanted.set(target.subject, target);
    // Whoever wants something in the same turn of the loop shares the request.
    void this.#reading.wake();
  }

  forget(target: Target): void {
    if (this.#wanted.get(target.subject) === target) this.#wanted.delete(target.subject);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#reading.idle();
  }

  async #read(): Promise<void> {
    const { signal } = this.#abort;
    let retryMs = RETRY_MS.first;
    let size = BATCH;
    while (this.#wanted.size > 0 && !signal.aborted) {
      const batch = [...this.#wanted.values()].slice(0, size);
      for (const target of batch) this.#wanted.delete(target.subject);
      try {
        const [states, lives] = await Promise.all([
          this.#log.latestStates(batch.map((target) => target.subject)),
          this.#log.latestLives(batch.map((target) => lifeSubject(target.name))),
        ]);
        retryMs = RETRY_MS.first;
        for (const target of batch) this.#onRead(target, recordedState(target.subject, target.name, states, lives));
      } catch (error) {
        for (const target of batch) if (!this.#wanted.has(target.subject)) this.#wanted.set(target.subject, target);
        if (signal.aborted) return;
        if (isTocsinError(error, 'TCN_TOO_LARGE') && size > 1) {
          size = Math.ceil(size / 2);
          continue;
        }
        this.#logger.warn({ err: error, targets: this.#wanted.size, retryMs }, 'announced states cannot be read yet');
        await pause(retryMs, signal);
        retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
      }
    }
  }
}
