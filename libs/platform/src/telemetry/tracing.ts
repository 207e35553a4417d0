import type { IncomingMessage } from 'node:http';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { envDetector, hostDetector, serviceInstanceIdDetector } from '@opentelemetry/resources';
import { redactPath, redactedOrigin } from '../logging/redact.js';
import { onTelemetryStop } from './stop.js';

const UNTRACED_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

/** Does the environment say where spans go? (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) */
export function tracingWanted(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  const exporters = env['OTEL_TRACES_EXPORTER'] ?? '';
  if (exporters !== '') return exporters !== 'none';
  return Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']);
}

/**
 * Starts tracing; where spans go is said by the `OTEL_*` variables. Libraries are instrumented as they are loaded, so this comes before
 * Express, pg and grpc-js.
 */
export async function startTracing(): Promise<void> {
  const instrumentations = [
    new HttpInstrumentation({
      // Requests go out by undici alone.
      disableOutgoingRequestInstrumentation: true,
      ignoreIncomingRequestHook: (request) => UNTRACED_PATHS.has(pathOf(request)),
      startIncomingSpanHook: (request) => ({ 'url.path': redactPath(pathOf(request)) }),
    }),
    new UndiciInstrumentation({
      // A probe that passes is no story; what belongs to one has a parent.
      requireParentforSpans: true,
      // The path of a webhook can be its secret, and so can its query.
      startSpanHook: (request) => ({
        'url.full': `${redactedOrigin(request.origin)}/***`,
        'url.path': '/***',
        'url.query': '',
      }),
    }),
    new PgInstrumentation({ requireParentSpan: true }),
    new GrpcInstrumentation({ ignoreGrpcMethods: [/^\/?grpc\.(?:health|reflection)\./, 'Check', 'Watch'] }),
  ];
  // Only now: the SDK loads grpc-js by itself, and what was loaded before it was instrumented never is.
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    instrumentations,
    // The default propagators also send `baggage`, whatever somebody put into it, to every receiver.
    // Without the detector of the process: it sends the command line, and what was typed there.
    resourceDetectors: [serviceInstanceIdDetector, hostDetector, envDetector],
    textMapPropagator: new W3CTraceContextPropagator(),
    metricReaders: [],
    logRecordProcessors: [],
    ...(serviceNameGiven(process.env) ? {} : { serviceName: 'tocsin' }),
  });
  sdk.start();
  onTelemetryStop(() => sdk.shutdown());
}

function serviceNameGiven(env: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(env['OTEL_SERVICE_NAME']) || (env['OTEL_RESOURCE_ATTRIBUTES'] ?? '').includes('service.name=');
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split(/[?#]/, 1)[0] ?? '';
}
