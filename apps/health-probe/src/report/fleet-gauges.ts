import { metrics } from '@opentelemetry/api';
import type { AnnouncedHealth } from '@tocsin/domain';
import type { Target } from '../targets/target.js';

const STATES: readonly AnnouncedHealth[] = ['pending', 'up', 'degraded', 'down', 'unknown'];

/** What the gauges are read from. */
export interface Fleet {
  targets: () => Iterable<Target>;
  /** Targets with a change that is not committed yet. */
  holding: () => number;
  isolated: () => boolean;
}

/** Shows what this observer watches, for the metrics. Targets are counted, never named: there is no end of them. */
export function observeFleet(fleet: Fleet): void {
  const meter = metrics.getMeter('tocsin.health-probe');
  meter
    .createObservableGauge('tocsin_watched_targets', {
      description: 'Targets this observer watches, by announced state',
    })
    .addCallback((result) => {
      const counts = new Map(STATES.map((state) => [state, 0]));
      for (const { health } of fleet.targets()) counts.set(health.announced, (counts.get(health.announced) ?? 0) + 1);
      for (const [state, count] of counts) result.observe(count, { state });
    });
  meter
    .createObservableGauge('tocsin_held_targets', {
      description: 'Targets with a confirmed change that the log has not committed yet',
    })
    .addCallback((result) => result.observe(fleet.holding()));
  meter
    .createObservableGauge('tocsin_isolated_observers', {
      description: '1 while this observer takes itself for cut off, else 0',
    })
    .addCallback((result) => result.observe(fleet.isolated() ? 1 : 0));
}
