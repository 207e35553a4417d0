/**
 * Entry that starts telemetry: `node --import @tocsin/platform/telemetry main.js`, or the first import of a process that cannot be
 * started so. Metrics always; tracing, and the time it takes to load, only where `OTEL_EXPORTER_OTLP_ENDPOINT` or
 * `OTEL_TRACES_EXPORTER` is set.
 */
import { startMetrics } from './telemetry/metrics.js';

startMetrics();

// `telemetry/tracing` decides this as well, but is not to be loaded for it.
const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_TRACES_EXPORTER } = process.env;
if (OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || OTEL_TRACES_EXPORTER) {
  const { startTracing, tracingWanted } = await import('./telemetry/tracing.js');
  if (tracingWanted(process.env)) await startTracing();
}
