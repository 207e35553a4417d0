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
  readonly #deliveries = this.#meter.createCounter('tocsin_deliveries_total', {
    description: 'Deliveries that came to an end, by outcome: delivered, dead (given up), superseded by a newer event',
  });
  readonly #accepted = this.#meter.createCounter('tocsin_accepted_deliveries_total', {
    description: 'Deliveries taken on: matched, taken over with a shard, replayed, or asked for again by hand',
  });
  readonly #dead = this.#meter.createCounter('tocsin_dead_deliveries_total', {
    description: 'Deliveries given up, by reason',
  });
  readonly #filterFailures = this.#meter.createCounter('tocsin_filter_failures_total', {
    description: 'Events that a subscription did not get because its filter failed on them',
  });
  readonly #tests = this.#meter.createCounter('tocsin_subscription_tests_total', {
    description: 'Test events sent by request, by outcome; they are no deliveries',
  });
  readonly #latency = this.#meter.createHistogram('tocsin_delivery_latency_seconds', {
    description: 'From recording an event to the end of the attempt that delivered it',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600] },
  });

  constructor() {
    this.#accepted.add(0);
    // A series that begins with its first event has no rate at that event.
    for (const outcome of ['delivered', 'dead', 'superseded']) this.#deliveries.add(0, { outcome });
    this.#filterFailures.add(0);
    this.#tests.add(0, { outcome: 'delivered' });
  }

  /** Deliveries were taken on. */
  accepted(count: number): void {
    this.#accepted.add(count);
  }

  /** An attempt has ended. */
  attempted(outcome: string): void {
    this.#counts.attempts += 1;
    this.#attempts.add(1, { outcome } satisfies Attributes);
  }

  /** A delivery succeeded, `latencyMs` after its event was recorded. */
  succeeded(latencyMs: number): void {
    this.#counts.delivered += 1;
    this.#deliveries.add(1, { outcome: 'delivered' });
    this.#latency.record(Math.max(latencyMs, 0) / 1000);
  }

  /** A delivery was given up. */
  gaveUp(reason: string): void {
    this.#counts.dead += 1;
    this.#deliveries.add(1, { outcome: 'dead' });
    this.#dead.add(1, { reason } satisfies Attributes);
  }

  /** Deliveries gave way to newer ones. */
  superseded(events: number): void {
    this.#counts.superseded += events;
    this.#deliveries.add(events, { outcome: 'superseded' });
  }

  /** A filter failed on an event. */
  filterFailed(): void {
    this.#filterFailures.add(1);
  }

  /** A test event was sent. */
  tested(outcome: string): void {
    this.#tests.add(1, { outcome } satisfies Attributes);
  }

  /** The counts so far. */
  counts(): DeliveryCounts {
    return { ...this.#counts };
  }
}
