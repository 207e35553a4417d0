import { metrics } from '@opentelemetry/api';
import type { Appended } from '@tocsin/contracts';
import { errorType } from '@tocsin/tracing';

/** Upper bounds in seconds: a lone commit takes a few milliseconds, a full queue half a second, and nobody waits longer than 5 s. */
const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Counts what the leader is asked to append, for the metrics. */
export class AppendStatistics {
  readonly #meter = metrics.getMeter('tocsin.event-recorder');
  readonly #duration = this.#meter.createHistogram('tocsin_append_duration_seconds', {
    description: 'From an append request at the leader to its commit or refusal, by outcome',
    advice: { explicitBucketBoundaries: BOUNDS_S },
  });
  readonly #events = this.#meter.createCounter('tocsin_appended_events_total', {
    description: 'Events recorded by this leader; repeats are not counted',
  });

  constructor() {
    this.#events.add(0);
  }

  /** Measures one append request. */
  async measure(append: () => Promise<Appended[]>): Promise<Appended[]> {
    const startedMs = performance.now();
    let outcome = 'recorded';
    try {
      const appended = await append();
      this.#events.add(appended.filter(({ repeated }) => !repeated).length);
      return appended;
    } catch (error) {
      outcome = errorType(error);
      throw error;
    } finally {
      this.#duration.record((performance.now() - startedMs) / 1_000, { outcome });
    }
  }
}
