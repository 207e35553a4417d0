import { metrics } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { AggregationType, MeterProvider } from '@opentelemetry/sdk-metrics';
import { TocsinError } from '@tocsin/domain';
import { observeProcess } from './process-metrics.js';

/** Content type of Prometheus' text format. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

let reader: PrometheusExporter | undefined;
// Without prefix, timestamps, resource and scope labels: Prometheus adds job and instance itself.
const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

/**
 * Makes the metrics of this process collectable. Idempotent. An instrument made through `@opentelemetry/api` before this stays silent
 * for ever (the API has no stand-in for meters), so it comes first: it happens when this package, or its entry `telemetry`, is imported.
 */
export function startMetrics(): void {
  if (reader !== undefined) return;
  reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({
    readers: [reader],
    // The instrumentations' own histograms: ours has the route, and theirs is labelled by the receivers' host names, of which
    // there is no end.
    views: [
      { instrumentName: 'http.server.request.duration', aggregation: { type: AggregationType.DROP } },
      { instrumentName: 'http.client.request.duration', aggregation: { type: AggregationType.DROP } },
    ],
  });
  metrics.setGlobalMeterProvider(provider);
  observeProcess(provider.getMeter('@tocsin/platform'));
}

/** All metrics of this process in Prometheus' text format. */
export async function metricsText(): Promise<string> {
  if (reader === undefined) throw new TocsinError('TCN_INTERNAL', 'metrics were not started');
  const { resourceMetrics } = await reader.collect();
  return `${serializer.serialize(resourceMetrics).trimEnd()}\n`;
}

startMetrics();
