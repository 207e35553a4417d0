import type { SpanBeginning } from '@tocsin/tracing';

/**
 * How the spans at both ends of a request begin, by the conventions for messaging
 * (https://opentelemetry.io/docs/specs/semconv/messaging/). Subjects are few: services and observers.
 */
export function requestSpan(subject: string): SpanBeginning {
  return {
    suffix: subject,
    attributes: { 'messaging.system': 'nats', 'messaging.destination.name': subject },
  };
}
