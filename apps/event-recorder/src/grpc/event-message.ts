import { type ExtensionValue, type Fault, type JsonValue, type RecordedEvent, TocsinError } from '@tocsin/domain';
import type { AttributeValue, Event, Timestamp } from '@tocsin/grpc-contracts';

/** Attributes that have a field of their own, or are the format's. */
const NOT_EXTENSIONS = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'data_base64',
  'position',
  'sequence',
  'recordedtime',
]);

/** An event of the log as a gRPC message. */
export function toMessage(event: RecordedEvent): Event {
  return {
    id: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject,
    time: toTimestamp(event.time),
    extensions: Object.fromEntries(Object.entries(event.extensions).map(([name, value]) => [name, toAttribute(value)])),
    datacontenttype: event.datacontenttype ?? '',
    dataschema: event.dataschema ?? '',
    dataJson: event.data === undefined ? '' : JSON.stringify(event.data),
    position: event.position,
    sequence: event.version,
    recordedTime: toTimestamp(event.recordedAt),
  };
}

/**
 * A message as the JSON that ingest takes, so that gRPC and HTTP admit by the same rules. Empty fields are fields that were left out.
 * @param pointer where the message stands in the request
 * @throws TocsinError `TCN_INVALID`
 */
export function fromMessage(message: Event, pointer: string): JsonValue {
  const event: Record<string, JsonValue> = {
    specversion: '1.0',
    id: message.id,
    source: message.source,
    type: message.type,
  };
  for (const [name, value] of Object.entries(message.extensions)) {
    if (NOT_EXTENSIONS.has(name))
      throw invalid(`${pointer}/extensions/${name}`, 'is not an extension but an attribute');
    // As an own property, also for a name such as __proto__: the schema then refuses it.
    Object.defineProperty(event, name, { value: fromAttribute(value), enumerable: true });
  }
  if (message.subject !== '') event['subject'] = message.subject;
  if (message.datacontenttype !== '') event['datacontenttype'] = message.datacontenttype;
  if (message.dataschema !== '') event['dataschema'] = message.dataschema;
  if (message.time) event['time'] = fromTimestamp(message.time, `${pointer}/time`);
  if (message.position !== 0) event['position'] = message.position;
  if (message.sequence !== 0) event['sequence'] = message.sequence;
  if (message.dataJson !== '') event['data'] = parseData(message.dataJson, `${pointer}/data_json`);
  return event;
}

function parseData(text: string, pointer: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw invalid(pointer, 'must be JSON', error);
  }
}

function toAttribute(value: ExtensionValue): AttributeValue {
  if (typeof value === 'string') return { stringValue: value };
  return typeof value === 'number' ? { numberValue: value } : { booleanValue: value };
}

function fromAttribute(value: AttributeValue): ExtensionValue | null {
  return value.stringValue ?? value.numberValue ?? value.booleanValue ?? null;
}

function toTimestamp(time: string): Timestamp {
  const ms = Date.parse(time);
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1_000_000 };
}

/**
 * As RFC 3339. The log keeps milliseconds.
 * @throws TocsinError `TCN_INVALID`
 */
export function fromTimestamp(time: Timestamp, pointer: string): string {
  const date = new Date(time.seconds * 1000 + Math.floor(time.nanos / 1_000_000));
  if (Number.isNaN(date.getTime())) throw invalid(pointer, 'must be a time');
  return date.toISOString();
}

function invalid(pointer: string, detail: string, cause?: unknown): TocsinError {
  const faults: Fault[] = [{ pointer, detail }];
  return new TocsinError('TCN_INVALID', `${pointer} ${detail}`, { cause, faults });
}
