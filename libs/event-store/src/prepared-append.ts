import type { AppendRequest } from '@tocsin/contracts';
import { type RecordedEvent, type SpelledEvent, TocsinError, derivedWebhookKey } from '@tocsin/domain';
import { contentHash } from './leaf-hash.js';
import { invalid, normalTime, requireText } from './storable.js';

/** An index entry of Postgres holds at most 2,704 bytes (a third of a page); id and source share one with their overhead. */
const MAX_INDEXED_BYTES = 2_600;
/** What a row costs besides its text, roughly; for the bounds of a batch. */
const ROW_OVERHEAD_BYTES = 300;

/** An event as the append statement takes it: checked, spelled and hashed. */
export interface PreparedEvent {
  /** As it was asked for; its content must not be changed any more. */
  asked: AppendRequest['events'][number];
  /** (id, source) in one string. */
  key: string;
  id: string;
  source: string;
  subject: string;
  type: string;
  /** RFC 3339, UTC, milliseconds. */
  time: string;
  /** The same, milliseconds since 1970. */
  timeMs: number;
  datacontenttype: string | null;
  dataschema: string | null;
  /** JSON text. */
  extensions: string;
  /** JSON text; null where the event has no data. */
  data: string | null;
  /** Hexadecimal. */
  contentHash: string;
  /** The hexadecimal part of the webhook key, where that is derived from source and id. */
  webhookKey: string | null;
}

/** A request as the append statement takes it. */
export interface PreparedAppend {
  /** Every key once. */
  events: PreparedEvent[];
  /** For each event of the request: its index in `events`, and whether it stands there for the first time. */
  asked: { index: number; first: boolean }[];
  expect: { subject: string; version: number }[];
  bytes: number;
}

/**
 * Checks and spells a request before it meets others in a batch: nothing in it can make the statement fail for its neighbours.
 * @param maxEventBytes bytes one event may have as JSON
 * @throws TocsinError `TCN_INVALID`; `TCN_TOO_LARGE`; `TCN_KEY_REUSED` if the request itself holds one key with two contents
 */
export function prepareAppend(request: AppendRequest, maxEventBytes = Number.MAX_SAFE_INTEGER): PreparedAppend {
  const events: PreparedEvent[] = [];
  const indexes = new Map<string, number>();
  const asked = request.events.map((event, position) => {
    const prepared = prepareEvent(event, `/events/${position}`);
    requireSize(prepared, maxEventBytes, `/events/${position}`);
    const index = indexes.get(prepared.key);
    if (index === undefined) {
      indexes.set(prepared.key, events.length);
      return { index: events.push(prepared) - 1, first: true };
    }
    if (events[index]?.contentHash !== prepared.contentHash) throw keyReused(prepared);
    return { index, first: false };
  });
  if (events.length === 0) throw invalid('/events', 'must hold at least one event');
  const expect = Object.entries(request.expect ?? {}).map(([subject, version]) => {
    const pointer = `/expect/${subject.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    requireText(subject, pointer, MAX_INDEXED_BYTES);
    if (!Number.isSafeInteger(version) || version < 0) throw invalid(pointer, 'must be a whole number, 0 or more');
    return { subject, version };
  });
  return { events, asked, expect, bytes: events.reduce((sum, event) => sum + sizeOf(event), 0) };
}

/** The error for a key that stands in the log, or in the same request, with other content. */
export function keyReused(event: { id: string; source: string }): TocsinError {
  const detail = `event "${event.id}" of source "${event.source}" was recorded before with other content; a new event needs a new id`;
  return new TocsinError('TCN_KEY_REUSED', detail);
}

function prepareEvent(event: AppendRequest['events'][number], pointer: string): PreparedEvent {
  requireText(event.type, `${pointer}/type`, MAX_INDEXED_BYTES);
  requireText(event.subject, `${pointer}/subject`, MAX_INDEXED_BYTES);
  requireText(event.id, `${pointer}/id`, MAX_INDEXED_BYTES);
  requireText(event.source, `${pointer}/source`, MAX_INDEXED_BYTES - Buffer.byteLength(event.id));
  for (const name of ['datacontenttype', 'dataschema'] as const) {
    if (event[name] !== undefined) requireText(event[name], `${pointer}/${name}`);
  }
  const { text: time, ms: timeMs } = normalTime(event.time, `${pointer}/time`);
  const extensions = event.extensions ?? {};
  const { id, source, subject, type, datacontenttype, dataschema, data } = event;
  return {
    asked: event,
    key: `${id}\u0000${source}`,
    id,
    source,
    subject,
    type,
    time,
    timeMs,
    datacontenttype: datacontenttype ?? null,
    dataschema: dataschema ?? null,
    contentHash: hashOf({ id, source, subject, type, time, extensions, datacontenttype, dataschema, data }, pointer),
    extensions: JSON.stringify(extensions),
    data: data === undefined ? null : JSON.stringify(data),
    webhookKey: derivedWebhookKey(event) ?? null,
  };
}

/** Nearly every event is so small that its size need not be counted: no character has more than three bytes per UTF-16 unit. */
function requireSize(event: PreparedEvent, maxBytes: number, pointer: string): void {
  if (3 * sizeOf(event) <= maxBytes) return;
  const bytes = Buffer.byteLength(JSON.stringify(event.asked));
  if (bytes <= maxBytes) return;
  const detail = `has ${bytes} bytes; at most ${maxBytes} can be recorded`;
  throw new TocsinError('TCN_TOO_LARGE', `the event ${detail}`, { faults: [{ pointer, detail }] });
}

function hashOf(content: Parameters<typeof contentHash>[0], pointer: string): string {
  try {
    return contentHash(content);
  } catch (error) {
    if (error instanceof TypeError) throw invalid(pointer, `must be JSON: ${error.message}`);
    // The stack ran out.
    if (error instanceof RangeError) throw invalid(pointer, 'must not be nested that deeply');
    throw error;
  }
}

/** The event at its place in the log, as reading it would give it, with its data as it is spelled there. */
export function recordedEvent(
  { asked, time, data: dataJson }: PreparedEvent,
  place: Pick<RecordedEvent, 'position' | 'version' | 'recordedAt'>,
): SpelledEvent {
  const { id, source, subject, type, extensions = {}, datacontenttype, dataschema, data } = asked;
  return {
    id,
    source,
    type,
    subject,
    time,
    ...place,
    extensions,
    ...(datacontenttype === undefined ? {} : { datacontenttype }),
    ...(dataschema === undefined ? {} : { dataschema }),
    ...(data === undefined ? {} : { data }),
    ...(dataJson === null ? {} : { dataJson }),
  };
}

/** What it takes in memory and on the wire, roughly, bytes. */
export function sizeOf(event: PreparedEvent): number {
  const { key, subject, type, datacontenttype, dataschema, extensions, data } = event;
  const names = key.length + subject.length + type.length + (datacontenttype?.length ?? 0) + (dataschema?.length ?? 0);
  return ROW_OVERHEAD_BYTES + names + extensions.length + (data?.length ?? 0);
}
