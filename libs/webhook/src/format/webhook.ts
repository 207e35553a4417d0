import type { DestinationOf } from '@tocsin/contracts';
import { type RecordedEvent, toCloudEvent, webhookId } from '@tocsin/domain';
import { signatureHeaders } from '../sign.js';
import type { RenderedRequest, RenderInput } from './render.js';
import { renderTemplate } from './template.js';

/**
 * One event goes to many subscribers, and nearly always to all of them at once: the newest are serialised once. Each has its place by
 * position, so that there is no table that grows with what passes.
 */
const BODIES: ({ event: RecordedEvent; body: Buffer } | undefined)[] = [];
const KEPT_BODIES = 64;

/**
 * An event for the receiver's own service under Standard Webhooks signatures: as a structured or binary CloudEvent (CloudEvents HTTP
 * binding § 3.2, § 3.1) or as the subscriber's own JSON. Headers that make up the message cannot be overridden.
 */
export function renderWebhook(input: RenderInput<DestinationOf<'webhook'>>): RenderedRequest {
  const { destination, event, secrets, nowMs } = input;
  const message = messageOf(destination.format ?? 'structured', event);
  return {
    url: destination.url,
    headers: {
      ...destination.headers,
      ...message.headers,
      ...signatureHeaders(webhookId(event), Math.floor(nowMs / 1_000), message.body, secrets),
    },
    body: message.body,
  };
}

function messageOf(
  format: NonNullable<DestinationOf<'webhook'>['format']>,
  event: RecordedEvent,
): { headers: Record<string, string>; body: Buffer } {
  if (format === 'structured') {
    return { headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' }, body: structuredBody(event) };
  }
  if (format === 'binary') {
    return { headers: binaryHeaders(event), body: event.data === undefined ? Buffer.alloc(0) : json(event.data) };
  }
  return {
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: json(renderTemplate(format.template, event)),
  };
}

function structuredBody(event: RecordedEvent): Buffer {
  const place = event.position % KEPT_BODIES;
  const kept = BODIES[place];
  if (kept?.event === event) return kept.body;
  const body = json(toCloudEvent(event));
  BODIES[place] = { event, body };
  return body;
}

/** Attributes as `ce-` headers; `data` and its content type are the message itself. */
function binaryHeaders(event: RecordedEvent): Record<string, string> {
  const { data: _body, datacontenttype, ...attributes } = toCloudEvent(event);
  const headers: Record<string, string> = {};
  if (event.data !== undefined) {
    headers['content-type'] = typeof datacontenttype === 'string' ? datacontenttype : 'application/json';
  }
  for (const [name, value] of Object.entries(attributes)) {
    // Attributes are strings, numbers and booleans (CloudEvents § 3.1.1); JSON spells the latter two as the binding does.
    headers[`ce-${name}`] = encodeAttribute(typeof value === 'string' ? value : JSON.stringify(value));
  }
  return headers;
}

/** CloudEvents HTTP binding § 3.1.3.2: percent-encoded UTF-8 for all but printable ASCII, and for space, `"` and `%`. */
function encodeAttribute(text: string): string {
  return text.replaceAll(/[^\x21\x23\x24\x26-\x7e]+/gu, (run) =>
    [...Buffer.from(run, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
