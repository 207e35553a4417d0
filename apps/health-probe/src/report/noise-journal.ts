import { NOISE_BUCKET, noiseTallySchema, type NoiseTally } from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import type { Broker, KeyValue } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { ProbeStatistics } from './probe-statistics.js';

/** An observer that is killed forgets what it has counted since it last wrote it down. */
const PERIOD_MS = 2_000;

export interface NoiseJournalDeps {
  observer: string;
  broker: Pick<Broker, 'kv' | 'connected'>;
  clock: Clock;
  logger: Logger;
  statistics: Pick<ProbeStatistics, 'counts'>;
  periodMs?: number;
}

/** Keeps what this observer counts over its restarts: its part of the noise receipt, in a bucket under its id. */
export class NoiseJournal {
  readonly #deps: NoiseJournalDeps;
  readonly #startedMs: number;
  #bucket: KeyValue | undefined;
  /** What earlier processes had counted; unknown until it has been read. */
  #before: NoiseTally | undefined;
  #written = '';
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: NoiseJournalDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.now();
  }

  start(): void {
    this.#timer = setInterval(() => this.#later(), this.#deps.periodMs ?? PERIOD_MS);
    this.#later();
  }

  /** Writes down the last of it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#later();
    await this.#writing;
  }

  /** One after the other, however long the broker takes. Never rejects. */
  #later(): void {
    this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const { observer, broker, logger, statistics } = this.#deps;
    if (!broker.connected()) return;
    try {
      this.#bucket ??= await broker.kv(NOISE_BUCKET);
      const entry = await this.#bucket.get(observer);
      this.#before ??= noiseTallySchema.safeParse(entry?.value).data ?? this.#nothing();
      const { checks, local, voided, suspicions, refused } = statistics.counts();
      const before = this.#before;
      const tally: NoiseTally = {
        observer,
        since: before.since,
        checks: before.checks + checks,
        local: before.local + local,
        voided: before.voided + voided,
        suspicions: before.suspicions + suspicions,
        refused: before.refused + refused,
      };
      const text = JSON.stringify(tally);
      // Lost with the broker's store: what this process remembers of it is written again.
      if (entry !== undefined && text === this.#written) return;
      await this.#bucket.put(observer, tally);
      this.#written = text;
    } catch (error) {
      logger.debug({ err: error }, 'what was counted could not be written down yet');
    }
  }

  #nothing(): NoiseTally {
    const counts = { checks: 0, local: 0, voided: 0, suspicions: 0, refused: 0 };
    return { observer: this.#deps.observer, since: new Date(this.#startedMs).toISOString(), ...counts };
  }
}
