import { SpanKind } from '@opentelemetry/api';

/** One kind of span that Tocsin makes itself. */
export interface SpanSpec {
  /** The span's name, or how it begins where something of few values follows. */
  readonly name: string;
  readonly kind: SpanKind;
  /** For the reference: what it hangs on. */
  readonly parent: string;
  /** For the reference: from when to when, and what is linked. */
  readonly covers: string;
}

/**
 * Every span Tocsin makes itself, from the first failing probe to the last attempt. HTTP, gRPC, Postgres and outgoing HTTP spans come from
 * OpenTelemetry's instrumentations beside them.
 */
export const SPANS = {
  confirm: {
    name: 'confirm',
    kind: SpanKind.INTERNAL,
    parent: 'none: it begins a trace',
    covers:
      'a change of a target, from the start of its first failing (passing) probe to the commit; an event `probe` for every probe and vote that decided. It is what the recorded event carries as `traceparent`',
  },
  request: {
    name: 'request',
    kind: SpanKind.CLIENT,
    parent: 'whatever is active; without any there is none',
    covers: 'a request over NATS, from sending it to its answer; the subject follows the name',
  },
  serve: {
    name: 'serve',
    kind: SpanKind.SERVER,
    parent: 'the `request`',
    covers: 'the handling of a request over NATS; the subject follows the name',
  },
  vote: {
    name: 'vote',
    kind: SpanKind.INTERNAL,
    parent: 'none: most suspicions end here, so it begins a trace',
    covers:
      'a suspicion put to other observers, until the last has answered or the time is up; each `request` below it is one of them',
  },
  append: {
    name: 'append',
    kind: SpanKind.INTERNAL,
    parent: 'the `serve`, or the HTTP or gRPC call',
    covers: 'an append at the leader, the wait for the transaction before included',
  },
  commit: {
    name: 'commit',
    kind: SpanKind.INTERNAL,
    parent: 'the first `append` of the batch',
    covers: 'the transaction of a batch; linked to the other appends it commits',
  },
  publish: {
    name: 'publish',
    kind: SpanKind.PRODUCER,
    parent: 'the context the event was made in',
    covers:
      'the relay of an event to stream EVENTS, from sending it to its acknowledgement; events older than a minute have none',
  },
  match: {
    name: 'match',
    kind: SpanKind.CONSUMER,
    parent: 'the context the event was made in',
    covers: 'finding the subscriptions of an event; events older than a minute, and those nobody is told, have none',
  },
  attempt: {
    name: 'attempt',
    kind: SpanKind.CLIENT,
    parent: 'none: an attempt may come days later, so it begins a trace',
    covers:
      'one attempt of a delivery; linked to the context the event was made in and to the attempt before. The HTTP requests it takes are its children',
  },
} as const satisfies Record<string, SpanSpec>;

/** The key of a span in {@link SPANS}. */
export type SpanKey = keyof typeof SPANS;

/** Spans of an event are made while it is fresh, milliseconds: a log that is read again for a day of outage would repeat a day of spans. */
export const FRESH_EVENT_MS = 60_000;
