import { type Attributes, metrics } from '@opentelemetry/api';

/** What this process has done since it started. */
export interface DeliveryCounts {
  attempts: number;
  delivered: number;
  dead: number;
  superseded: number;
}

/** Counts attempts for the metrics and for the noise receipt. */
export class DeliveryStatistics {
  readonly #counts: DeliveryCounts = { attempts: 0, delivered: 0, dead: 0, superseded: 0 };
  readonly #meter = metrics.getMeter('tocsin.delivery');
  readonly #attempts = this.#meter.createCounter('tocsin_delivery_attempts_total', {
    description: 'Attempts by outcome',
  });
  readonly #delivered = this.#meter.createCounter('tocsin_deliveries_total', {
    description: 'Events delivered to a subscription',
  });
  readonly #dead = this.#meter.createCounter('tocsin_deliveries_dead_total', {
    description: 'Events given up for a subscription, by reason',
  });
  readonly #superseded = this.#meter.createCounter('tocsin_deliveries_superseded_total', {
    description: 'Events that gave way to a newer one of their subject',
  });
  readonly #latency = this.#meter.createHistogram('tocsin_delivery_latency_seconds', {
    description: 'From recording an event to the end of the attempt that delivered it',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600] },
  });

  /** An attempt has ended. */
  attempted(outcome: string): void {
    this.#counts.attempts += 1;
    this.#attempts.add(1, { outcome } satisfies Attributes);
  }

  /** A delivery succeeded, `latencyMs` after its event was recorded. */
  succeeded(latencyMs: number): void {
    this.#counts.delivered += 1;
    this.#delivered.add(1);
    this.#latency.record(Math.max(latencyMs, 0) / 1000);
  }

  /** A delivery was given up. */
  gaveUp(reason: string): void {
    this.#counts.dead += 1;
    this.#dead.add(1, { reason } satisfies Attributes);
  }

  /** Deliveries gave way to newer ones. */
  superseded(events: number): void {
    this.#counts.superseded += events;
    this.#superseded.add(events);
  }

  /** The counts so far. */
  counts(): DeliveryCounts {
    return { ...this.#counts };
  }
}
