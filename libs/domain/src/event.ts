import { hash } from 'node:crypto';
import type { JsonObject, JsonValue } from './json.js';

/** Sources under this prefix are Tocsin's own services; ingest refuses them from anybody else. */
export const OWN_SOURCE_PREFIX = 'tocsin/';

/** Value of a CloudEvents extension attribute. */
export type ExtensionValue = string | number | boolean;

/** An event on its way into the log. (source, id) is its key for ever: a repeat is answered with the first position. */
export interface EventToAppend {
  /** Unique within `source`. Tocsin's own are `evt_<uuidv7>`. */
  id: string;
  /** CloudEvents source, a URI reference. */
  source: string;
  /** CloudEvents type, e.g. `io.tocsin.node.offline`. */
  type: string;
  /** What the event is about, and the unit of order: `<kind>/<name>`. A producer's event without one is ordered by its source. */
  subject: string;
  /** When it became true, RFC 3339 with milliseconds, UTC. */
  time: string;
  /** CloudEvents extension attributes, lower-case alphanumeric names: `episode`, `traceparent` … */
  extensions?: Record<string, ExtensionValue>;
  datacontenttype?: string;
  dataschema?: string;
  /** The payload. Absent where the event has none. */
  data?: JsonValue;
}

/** An event as the log holds it. */
export interface RecordedEvent extends EventToAppend {
  /** 1, 2, 3 … over the whole log: gapless and in commit order. Equals the JetStream sequence. */
  position: number;
  /** 1, 2, 3 … within the subject, gapless. Travels as the extension `sequence`. */
  version: number;
  /** When the transaction that recorded it began, RFC 3339 with milliseconds, UTC. */
  recordedAt: string;
  extensions: Record<string, ExtensionValue>;
}

/** A structured CloudEvent (JSON format) of a recorded event: what receivers, internal teams and the read API see. */
export interface CloudEvent extends JsonObject {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  position: number;
  sequence: number;
  recordedtime: string;
}

const OWN_ATTRIBUTES = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'position',
  'sequence',
  'recordedtime',
]);

/** The structured CloudEvent of `event`, attributes in the order in which people read them. */
export function toCloudEvent(event: RecordedEvent): CloudEvent {
  return { ...attributesOf(event), ...(event.data === undefined ? {} : { data: event.data }) };
}

function attributesOf(event: RecordedEvent): CloudEvent {
  return {
    specversion: '1.0',
    id: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject,
    time: event.time,
    ...(event.datacontenttype === undefined ? {} : { datacontenttype: event.datacontenttype }),
    ...(event.dataschema === undefined ? {} : { dataschema: event.dataschema }),
    position: event.position,
    sequence: event.version,
    recordedtime: event.recordedAt,
    ...event.extensions,
  };
}

/** A recorded event whose data has been spelled already, by who wrote it. */
export interface SpelledEvent extends RecordedEvent {
  /** What `JSON.stringify` makes of `data`; missing where nobody has asked yet, or where there is no data. */
  dataJson?: string;
}

/** JSON text of {@link toCloudEvent}, of which the data is by far the most. */
export function cloudEventJson(event: SpelledEvent): string {
  const { dataJson } = event;
  if (dataJson === undefined) return JSON.stringify(toCloudEvent(event));
  return `${JSON.stringify(attributesOf(event)).slice(0, -1)},"data":${dataJson}}`;
}

/** The inverse of {@link toCloudEvent}. */
export function fromCloudEvent(cloudEvent: CloudEvent): RecordedEvent {
  const extensions: Record<string, ExtensionValue> = {};
  for (const [name, value] of Object.entries(cloudEvent)) {
    if (!OWN_ATTRIBUTES.has(name)) extensions[name] = value as ExtensionValue;
  }
  return {
    id: cloudEvent.id,
    source: cloudEvent.source,
    type: cloudEvent.type,
    subject: cloudEvent.subject,
    time: cloudEvent.time,
    position: cloudEvent.position,
    version: cloudEvent.sequence,
    recordedAt: cloudEvent.recordedtime,
    extensions,
    ...(cloudEvent['datacontenttype'] === undefined
      ? {}
      : { datacontenttype: cloudEvent['datacontenttype'] as string }),
    ...(cloudEvent['dataschema'] === undefined ? {} : { dataschema: cloudEvent['dataschema'] as string }),
    ...(cloudEvent['data'] === undefined ? {} : { data: cloudEvent['data'] }),
  };
}

/**
 * The key a receiver deduplicates by, constant over retries and replays, without a dot (Standard Webhooks signs
 * `id.timestamp.body`). Tocsin's own ids are unique by themselves; a producer's id only within its source, so both go in.
 */
export function webhookId(event: Pick<EventToAppend, 'source' | 'id'>): string {
  const derived = derivedWebhookKey(event);
  return derived === undefined ? event.id : `evt_${derived}`;
}

/** The part after `evt_` of a {@link webhookId} that is not the event's own id, 32 hexadecimal digits; undefined where it is. */
export function derivedWebhookKey({ source, id }: Pick<EventToAppend, 'source' | 'id'>): string | undefined {
  if (source.startsWith(OWN_SOURCE_PREFIX)) return undefined;
  return hash('sha256', JSON.stringify([source, id]), 'hex').slice(0, 32);
}

/** Extension that says why one of Tocsin's own events is kept from everybody: overlays with commas between, `maintenance,storm`. */
export const WITHHELD = 'withheld';

/**
 * Is the event stored for completeness only? Nobody is told of it, whatever he subscribed to. What a producer writes into an
 * extension of that name is his own matter.
 */
export function isWithheld(event: Partial<Pick<EventToAppend, 'source' | 'extensions'>>): boolean {
  return event.extensions?.[WITHHELD] !== undefined && event.source?.startsWith(OWN_SOURCE_PREFIX) === true;
}

/** The labels an event is matched by: `data.labels` where that is an object; anything but strings in it is ignored. */
export function eventLabels(event: Pick<EventToAppend, 'data'>): Record<string, string> {
  const data = event.data;
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return {};
  const labels = data['labels'];
  if (labels === null || typeof labels !== 'object' || Array.isArray(labels)) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
