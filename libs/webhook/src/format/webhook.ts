import { type RecordedEvent, toCloudEvent, webhookId } from '@tocsin/domain';
import { signatureHeaders } from '../sign.js';
import type { RenderedRequest, RenderInput } from './render.js';

/** One event goes to many subscribers: it is serialised once, as long as anybody holds it. */
const BODIES = new WeakMap<RecordedEvent, Buffer>();

/**
 * A structured CloudEvent (CloudEvents HTTP binding § 3.2) under Standard Webhooks signatures. The subscription's own headers
 * come first; those that make up the message cannot be overridden.
 */
export function renderWebhook({ destination, event, secrets, nowMs }: RenderInput): RenderedRequest {
  const body = structuredBody(event);
  const { url, authorization } = splitCredentials(destination.url);
  return {
    url,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...lowerCased(destination.headers),
      'content-type': 'application/cloudevents+json; charset=utf-8',
      ...signatureHeaders(webhookId(event), Math.floor(nowMs / 1_000), body, secrets),
    },
    body,
  };
}

function structuredBody(event: RecordedEvent): Buffer {
  const known = BODIES.get(event);
  if (known !== undefined) return known;
  const body = Buffer.from(JSON.stringify(toCloudEvent(event)), 'utf8');
  BODIES.set(event, body);
  return body;
}

/** `https://user:password@host/` means Basic authentication; the request line and the Host header have no place for it. */
export function splitCredentials(text: string): { url: string; authorization?: string } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: text };
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return { url: url.href, authorization: `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}` };
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
