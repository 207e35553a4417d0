import { metrics } from '@opentelemetry/api';
import type { RelayStatus } from '@tocsin/jetstream';
import type { LeaderDuty } from './append-leader.js';

/** Where the log and its copy in JetStream stand, as the leader knows it, for the metrics. A standby only says that it is one. */
export class LogGauges implements LeaderDuty {
  #position: number | undefined;

  /** @param relay undefined while this recorder does not relay */
  constructor(relay: () => RelayStatus | undefined) {
    const meter = metrics.getMeter('tocsin.event-recorder');
    meter
      .createObservableGauge('tocsin_log_leaders', { description: '1 where this recorder writes the log, else 0' })
      .addCallback((result) => result.observe(this.#position === undefined ? 0 : 1));
    meter
      .createObservableGauge('tocsin_log_position_events', {
        description: 'Events in the log: the last position. From the leader only',
      })
      .addCallback((result) => {
        if (this.#position !== undefined) result.observe(this.#position);
      });
    meter
      .createObservableGauge('tocsin_relay_lag_events', {
        description: 'Events recorded and not yet in stream EVENTS. From the leader only',
      })
      .addCallback((result) => {
        const status = relay();
        if (this.#position === undefined || status === undefined) return;
        result.observe(Math.max(0, this.#position - status.position));
      });
  }

  /** The log stood at `position` when this recorder took over. */
  tookOver(position: number): void {
    this.#position = position;
  }

  begin(): void {
    this.#position ??= 0;
  }

  committed(position: number): void {
    this.#position = Math.max(this.#position ?? 0, position);
  }

  end(): Promise<void> {
    this.#position = undefined;
    return Promise.resolve();
  }
}
