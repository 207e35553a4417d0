import type { Attributes, Span, SpanContext } from '@opentelemetry/api';
import { type RecordedEvent, type Verdict, webhookId } from '@tocsin/domain';
import { failSpan, spanContextOf, startSpan, withSpan } from '@tocsin/tracing';
import type { AttemptOutcome } from '@tocsin/webhook';
import type { LastAttempt } from '../ledger/last-attempt.js';
import type { Delivery } from './subscription-queue.js';

/** Ids by which an attempt is found again; absent where nothing is traced. */
export interface AttemptSpanIds {
  traceId: string | undefined;
  spanId: string | undefined;
}

/** What an attempt is of, as far as its trace says. */
type Traced = Pick<Delivery, 'subscription' | 'position' | 'attempts'>;

/**
 * Traces attempts. Each begins a trace, because it may come days after its event, and is linked to the context the event was made in and
 * to the attempt before it, also where that was another process's.
 */
export class AttemptTraces {
  readonly #before = new WeakMap<Traced, SpanContext>();

  constructor(private readonly lastAttempt: Pick<LastAttempt, 'of'>) {}

  /** Begins the span of the next attempt. It must be ended. */
  async begin(
    delivery: Traced,
    event: RecordedEvent,
    to: { destinationKind: string; url: string },
  ): Promise<AttemptTrace> {
    const span = startSpan('attempt', {
      parent: 'none',
      links: [spanContextOf(event.extensions['traceparent'])],
    });
    if (!span.isRecording()) return new AttemptTrace(span);
    span.setAttributes(attributesOf(delivery, event, to));
    const before = this.#before.get(delivery) ?? (await this.#recorded(delivery));
    if (before !== undefined) span.addLink({ context: before });
    this.#before.set(delivery, span.spanContext());
    return new AttemptTrace(span);
  }

  async #recorded(delivery: Traced): Promise<SpanContext | undefined> {
    if (delivery.attempts === 0) return undefined;
    const ids = await this.lastAttempt.of(delivery.subscription, delivery.position);
    return ids === undefined ? undefined : spanContextOf(`00-${ids.traceId}-${ids.spanId}-01`);
  }
}

/** The span of one attempt. */
export class AttemptTrace {
  /** Taken at once: a span that has ended does not say any more whether it was recorded. */
  readonly ids: AttemptSpanIds;

  constructor(private readonly span: Span) {
    const { traceId, spanId } = span.spanContext();
    this.ids = span.isRecording() ? { traceId, spanId } : { traceId: undefined, spanId: undefined };
  }

  /** Runs what belongs to the attempt: its requests, its log line. */
  run<T>(work: () => T): T {
    return withSpan(this.span, work);
  }

  /** The attempt has ended like this; undefined: it could not even be put into words. */
  ended(outcome: AttemptOutcome | undefined, verdict: Verdict): void {
    const { span } = this;
    if (!span.isRecording()) return;
    span.setAttribute('tocsin.attempt.outcome', verdict === 'success' ? 'delivered' : verdict);
    if (outcome?.kind === 'response') span.setAttribute('http.response.status_code', outcome.status);
    if (outcome?.address !== undefined) span.setAttributes(peer(outcome.address));
    if (verdict !== 'success') failSpan(span, errorTypeOf(outcome));
    span.end();
  }
}

/** By the conventions for messaging and HTTP; of the URL nothing but host and port, since any other part may be a secret. */
function attributesOf(
  delivery: Traced,
  event: RecordedEvent,
  to: { destinationKind: string; url: string },
): Attributes {
  const url = URL.parse(to.url);
  const port = url?.port === '' ? { 'http:': 80, 'https:': 443 }[url.protocol] : Number(url?.port);
  return {
    'messaging.system': to.destinationKind,
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'attempt',
    'messaging.destination.name': delivery.subscription,
    'messaging.message.id': webhookId(event),
    'tocsin.position': event.position,
    'tocsin.subject': event.subject,
    'tocsin.event.type': event.type,
    'tocsin.subscription': delivery.subscription,
    'tocsin.attempt.number': delivery.attempts + 1,
    ...(delivery.attempts === 0 ? {} : { 'http.request.resend_count': delivery.attempts }),
    ...(url === null ? {} : { 'server.address': url.hostname }),
    ...(port === undefined || Number.isNaN(port) ? {} : { 'server.port': port }),
  };
}

function peer(address: string): Attributes {
  const at = address.lastIndexOf(':');
  return {
    'network.peer.address': address.slice(0, at).replaceAll(/[[\]]/g, ''),
    'network.peer.port': Number(address.slice(at + 1)),
  };
}

function errorTypeOf(outcome: AttemptOutcome | undefined): string {
  if (outcome === undefined) return 'not-rendered';
  if (outcome.kind === 'error') return outcome.errorClass;
  return outcome.status >= 400 || outcome.rejected === undefined ? String(outcome.status) : 'rejected';
}
