import type { IncomingHttpHeaders } from 'node:http';
import { type Fault, type JsonValue, TocsinError } from '@tocsin/domain';
import { isJsonMediaType, type MediaType, parseMediaType } from '@tocsin/platform';

/** How the events of a request came: CloudEvents HTTP protocol binding 1.0.2 § 3. */
export type ContentMode = 'structured' | 'batch' | 'binary';

/** The events of one request, as sent and not yet validated. */
export interface IncomingEvents {
  mode: ContentMode;
  events: readonly JsonValue[];
}

/** What ingest takes from a request. */
export interface IngestRequest {
  headers: IncomingHttpHeaders;
  /** Every value of every header, so that a repeated one is seen. */
  headersDistinct: NodeJS.Dict<string[]>;
  /** Is there a body? */
  hasBody: boolean;
  /** The body as JSON. Throws TocsinError `TCN_MALFORMED` where it is none. */
  json: () => JsonValue;
}

const STRUCTURED = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';

/** These travel elsewhere in binary mode: in the body and in Content-Type (§ 3.1.1, § 3.1.2). */
const NOT_IN_HEADERS = new Set(['data', 'data_base64', 'datacontenttype']);

/**
 * The events of a request, by content mode.
 * @throws TocsinError `TCN_UNSUPPORTED_MEDIA_TYPE`, `TCN_MALFORMED` (body is not JSON), `TCN_INVALID` (headers, batch that is no list)
 */
export function decodeHttp(request: IngestRequest): IncomingEvents {
  const mediaType = parseMediaType(request.headers['content-type']);
  if (mediaType?.essence === BATCH) return { mode: 'batch', events: asList(bodyOf(request)) };
  if (mediaType?.essence === STRUCTURED) return { mode: 'structured', events: [bodyOf(request)] };
  if (mediaType?.essence.startsWith('application/cloudevents')) throw unsupported(mediaType);
  if (Object.keys(request.headers).some((name) => name.startsWith('ce-'))) {
    return { mode: 'binary', events: [decodeBinary(request, mediaType)] };
  }
  if (request.hasBody && !isJsonMediaType(mediaType)) throw unsupported(mediaType);
  const body = bodyOf(request);
  return Array.isArray(body) ? { mode: 'batch', events: body } : { mode: 'structured', events: [body] };
}

function decodeBinary(request: IngestRequest, mediaType: MediaType | undefined): JsonValue {
  const event: Record<string, JsonValue> = {};
  const faults: Fault[] = [];
  for (const [header, values] of Object.entries(request.headersDistinct)) {
    if (!header.startsWith('ce-') || values === undefined) continue;
    const attribute = header.slice('ce-'.length);
    const value = values.length === 1 && values[0] !== undefined ? decodeHeaderValue(values[0]) : undefined;
    if (NOT_IN_HEADERS.has(attribute)) {
      faults.push({ pointer: `/${attribute}`, detail: `header ${header}: is given by the body and its Content-Type` });
    } else if (value === undefined) {
      const detail = values.length > 1 ? 'was given more than once' : 'is not percent-encoded UTF-8';
      faults.push({ pointer: `/${attribute}`, detail: `header ${header}: ${detail}` });
    } else {
      // As an own property, also for a header such as ce-__proto__: the schema then refuses the name.
      Object.defineProperty(event, attribute, { value, enumerable: true, configurable: true, writable: true });
    }
  }
  if (faults.length > 0) throw new TocsinError('TCN_INVALID', `the event's headers: ${faults[0]?.detail}`, { faults });
  const contentType = request.headers['content-type'];
  if (contentType !== undefined) event['datacontenttype'] = contentType;
  if (!request.hasBody) return event;
  if (contentType !== undefined && !isJsonMediaType(mediaType)) throw unsupported(mediaType);
  event['data'] = request.json();
  return event;
}

/**
 * The value of a `ce-` header (§ 3.1.3.2): a quoted string loses its quotes and escapes, then percent-encoding is undone.
 * Undefined where the percent-encoding is broken.
 */
function decodeHeaderValue(text: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text);
  const plain = quoted?.[1] === undefined ? text : quoted[1].replaceAll(/\\(.)/gs, '$1');
  try {
    return decodeURIComponent(plain);
  } catch {
    return undefined;
  }
}

function bodyOf(request: IngestRequest): JsonValue {
  if (!request.hasBody) throw new TocsinError('TCN_MALFORMED', 'the body is empty; it must hold the event');
  return request.json();
}

function unsupported(mediaType: MediaType | undefined): TocsinError {
  const sent = mediaType === undefined ? 'a body without a Content-Type' : mediaType.essence;
  return new TocsinError(
    'TCN_UNSUPPORTED_MEDIA_TYPE',
    `${sent} is not supported: send ${STRUCTURED}, ${BATCH}, application/json, or ce- headers with a JSON body`,
  );
}

function asList(body: JsonValue): JsonValue[] {
  if (Array.isArray(body)) return body;
  throw new TocsinError('TCN_INVALID', 'a batch is a JSON array of events', {
    faults: [{ pointer: '', detail: 'must be an array' }],
  });
}
