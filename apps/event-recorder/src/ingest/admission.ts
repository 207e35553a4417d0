import {
  brokenText,
  faultsOf,
  type IncomingCloudEvent,
  incomingCloudEventSchema,
  RESERVED_TYPE_PREFIXES,
} from '@tocsin/contracts';
import {
  type EventToAppend,
  type ExtensionValue,
  type Fault,
  isNestedDeeper,
  type JsonValue,
  OWN_SOURCE_PREFIX,
  TocsinError,
} from '@tocsin/domain';
import { MAX_BATCH_EVENTS, MAX_DEPTH, MAX_EVENT_BYTES, MAX_REQUEST_BYTES } from './event-limits.js';
import type { IncomingEvents } from './http-cloudevents.js';
import { payloadFaults } from './payload-rules.js';

/** What fills the gaps of an event that its producer left. */
export interface AdmissionContext {
  /** Wall-clock time in milliseconds since 1970; the `time` of an event that has none. */
  nowMs: number;
  /** W3C trace context of the request. */
  traceparent?: string | undefined;
}

/** An event that may be appended, and what its producer left open: a repeat of the same request fills that in otherwise. */
export interface AdmittedEvent {
  event: EventToAppend;
  leftOpen: { time: boolean; traceparent: boolean };
}

/** What one request may append, and its size as compact JSON. */
export interface Admission {
  events: AdmittedEvent[];
  bytes: number;
}

/** Faults shown at most: enough to mend a batch by, not an amplifier for a hostile one. */
const MAX_FAULTS = 100;

// W3C Trace Context § 3.2: version 00 to fe, ids not all zero.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Turns what a producer sent into events to append: all of them or none.
 * @throws TocsinError `TCN_INVALID` (with a fault per finding; in a batch, pointers start with the index), `TCN_TOO_LARGE`,
 *   `TCN_FORBIDDEN` (a source or type that only Tocsin's own services may use)
 */
export function admit(incoming: IncomingEvents, context: AdmissionContext): Admission {
  const { events, mode } = incoming;
  if (events.length === 0 || events.length > MAX_BATCH_EVENTS) {
    throw new TocsinError('TCN_INVALID', `a batch has 1 to ${MAX_BATCH_EVENTS} events, this one has ${events.length}`, {
      faults: [{ pointer: '', detail: `must be 1 to ${MAX_BATCH_EVENTS} events` }],
    });
  }
  const prefixOf = (index: number): string => (mode === 'batch' ? `/${index}` : '');
  const faults: Fault[] = [];
  const forbidden: Fault[] = [];
  const admitted: AdmittedEvent[] = [];
  let requestBytes = 0;
  for (const [index, value] of events.entries()) {
    const prefix = prefixOf(index);
    const verdict = examine(value, context);
    requestBytes += verdict.bytes;
    if (verdict.bytes > MAX_EVENT_BYTES) throw tooLarge(prefix, verdict.bytes);
    for (const fault of verdict.faults) faults.push({ ...fault, pointer: prefix + fault.pointer });
    for (const fault of verdict.forbidden) forbidden.push({ ...fault, pointer: prefix + fault.pointer });
    if (verdict.admitted !== undefined) admitted.push(verdict.admitted);
    if (faults.length >= MAX_FAULTS) break;
  }
  if (faults.length > 0) throw refusal('TCN_INVALID', mode === 'batch' ? 'the batch' : 'the event', faults);
  if (forbidden.length > 0) throw refusal('TCN_FORBIDDEN', 'not from outside', forbidden);
  if (requestBytes > MAX_REQUEST_BYTES) {
    throw new TocsinError(
      'TCN_TOO_LARGE',
      `the batch has ${requestBytes} bytes; at most ${MAX_REQUEST_BYTES} are taken at once: send it in parts`,
    );
  }
  return { events: admitted, bytes: requestBytes };
}

interface Verdict {
  bytes: number;
  faults: Fault[];
  forbidden: Fault[];
  admitted?: AdmittedEvent;
}

function examine(value: JsonValue, context: AdmissionContext): Verdict {
  if (isNestedDeeper(value, MAX_DEPTH)) {
    return { bytes: 0, faults: [{ pointer: '', detail: `is nested deeper than ${MAX_DEPTH} levels` }], forbidden: [] };
  }
  const json = JSON.stringify(value);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_EVENT_BYTES) return { bytes, faults: [], forbidden: [] };
  const result = incomingCloudEventSchema.safeParse(value);
  if (!result.success) return { bytes, faults: faultsOf(result.error), forbidden: [] };
  const admitted = complete(result.data, (value as Record<string, JsonValue>)['data'], context);
  const forbidden = reservedFaults(admitted.event);
  const faults = [...brokenText(value, json), ...timeFaults(admitted.event)];
  // Who may not send it at all needs no help with its payload.
  if (forbidden.length === 0) faults.push(...payloadFaults(admitted.event));
  return { bytes, faults, forbidden, admitted };
}

/** Fills the gaps: subject = source, time = now, the request's trace context. `data` stays the very value that was sent. */
function complete(sent: IncomingCloudEvent, data: JsonValue | undefined, context: AdmissionContext): AdmittedEvent {
  const {
    specversion: _version,
    id,
    source,
    type,
    subject,
    time,
    datacontenttype,
    dataschema,
    data: _data,
    data_base64: _binary,
    ...others
  } = sent;
  const extensions = others as Record<string, ExtensionValue>;
  const traceparent =
    extensions['traceparent'] === undefined &&
    context.traceparent !== undefined &&
    TRACEPARENT.test(context.traceparent)
      ? context.traceparent
      : undefined;
  return {
    event: {
      id,
      source,
      type,
      subject: subject ?? source,
      time: inUtc(time) ?? new Date(context.nowMs).toISOString(),
      extensions: traceparent === undefined ? extensions : { ...extensions, traceparent },
      ...(datacontenttype === undefined ? {} : { datacontenttype }),
      ...(dataschema === undefined ? {} : { dataschema }),
      ...(data === undefined ? {} : { data }),
    },
    leftOpen: { time: time === undefined, traceparent: extensions['traceparent'] === undefined },
  };
}

function inUtc(time: string | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}

/** A zone can push a time out of the years that RFC 3339 (and Postgres, for year 0) can write. */
function timeFaults(event: EventToAppend): Fault[] {
  if (/^(?!0000)\d{4}-/.test(event.time)) return [];
  return [{ pointer: '/time', detail: 'must lie in the years 0001 to 9999, in UTC' }];
}

function reservedFaults(event: EventToAppend): Fault[] {
  const faults: Fault[] = [];
  if (event.source.startsWith(OWN_SOURCE_PREFIX)) {
    faults.push({ pointer: '/source', detail: `sources under ${OWN_SOURCE_PREFIX} are Tocsin's own services` });
  }
  const reserved = RESERVED_TYPE_PREFIXES.find((prefix) => event.type.startsWith(prefix));
  if (reserved !== undefined) {
    faults.push({ pointer: '/type', detail: `types under ${reserved} are written by Tocsin itself` });
  }
  return faults;
}

function tooLarge(prefix: string, bytes: number): TocsinError {
  const detail = `has ${bytes} bytes; at most ${MAX_EVENT_BYTES} are taken`;
  return new TocsinError('TCN_TOO_LARGE', `the event ${detail}`, { faults: [{ pointer: prefix, detail }] });
}

function refusal(code: 'TCN_INVALID' | 'TCN_FORBIDDEN', what: string, faults: Fault[]): TocsinError {
  const shown = faults.slice(0, MAX_FAULTS);
  const first = shown[0];
  const where = first === undefined || first.pointer === '' ? '' : `${first.pointer}: `;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new TocsinError(code, `${what}: ${where}${first?.detail ?? ''}${more}`, { faults: shown });
}
