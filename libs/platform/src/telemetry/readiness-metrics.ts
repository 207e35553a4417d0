import { metrics, type ObservableCallback } from '@opentelemetry/api';
import type { ReadinessRegistry } from '../health/readiness-registry.js';

/**
 * Shows what `/readyz` would say. Every collection runs the checks.
 * @returns ends it
 */
export function observeReadiness(readiness: ReadinessRegistry): () => void {
  const gauge = metrics.getMeter('@tocsin/platform').createObservableGauge('tocsin_unready_parts', {
    description: '1 where a part of the process is not ready, 0 where it is, by part as in /readyz',
  });
  const observe: ObservableCallback = async (result) => {
    const { checks } = await readiness.check();
    for (const [part, outcome] of Object.entries(checks)) result.observe(outcome === 'ok' ? 0 : 1, { part });
  };
  gauge.addCallback(observe);
  return () => gauge.removeCallback(observe);
}
