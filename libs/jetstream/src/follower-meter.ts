import type { Clock, RecordedEvent } from '@tocsin/domain';
import { metrics } from '@opentelemetry/api';

/** Upper bounds in seconds: idle a follower has an event some milliseconds after its commit; behind a lost broker, minutes later. */
const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3_600];

/** Measures how far a follower of the log is. How far behind that is, is seen beside the leader's `tocsin_log_position_events`. */
export class FollowerMeter {
  readonly #meter = metrics.getMeter('tocsin.jetstream');
  readonly #delay = this.#meter.createHistogram('tocsin_follower_delay_seconds', {
    description: 'From recording an event to its being taken in by a follower of the log, by follower',
    advice: { explicitBucketBoundaries: BOUNDS_S },
  });
  readonly #position = this.#meter.createGauge('tocsin_follower_position_events', {
    description: 'Events a follower of the log has taken in: its position, by follower',
  });

  /**
   * Make it after `@tocsin/platform` was imported.
   * @param follower names it; one name a service
   */
  constructor(
    private readonly follower: string,
    private readonly clock: Clock,
  ) {}

  /** The follower has begun behind `position`. */
  began(position: number): void {
    this.#position.record(position, { follower: this.follower });
  }

  /** A batch was taken in, which `last` ends. */
  took(last: RecordedEvent): void {
    const delayMs = Math.max(0, this.clock.now() - Date.parse(last.recordedAt));
    this.#delay.record(delayMs / 1_000, { follower: this.follower });
    this.#position.record(last.position, { follower: this.follower });
  }
}
