import type { IncomingMessage, ServerResponse } from 'node:http';
import { isTocsinError } from '@tocsin/domain';
import { type EventReceiver, type Received, tooLarge } from './event-receiver.js';
import { DeliveryRefused } from './refusal.js';

/** A body beyond this many times the limit is not even read to its end; its connection is closed. */
const MOST_DROPPED = 8;

/** A request as node:http gives it, and what body parsers may have put on it. */
export type DeliveryRequest = IncomingMessage & { body?: unknown; rawBody?: unknown };

/** What to be told of. */
export interface HttpHandlerOptions {
  /** After each request that was taken. */
  onReceived?(received: Received): void;
  /** After each that was not: a {@link DeliveryRefused}, or whatever a handler or the inbox threw. */
  onError?(error: unknown): void;
}

/**
 * Answers Tocsin's requests, under node:http and as a route of Express alike:
 * `createServer(httpHandler(receiver))`, `app.post('/tocsin', httpHandler(receiver))`.
 *
 * The signature covers the bytes that came, so nothing may have parsed the body before. It is read here, or taken from
 * `express.raw({ type: '*\/*' })`, `express.text(…)` or a `rawBody` that something else has kept.
 */
export function httpHandler<Type extends string, Transaction>(
  receiver: EventReceiver<Type, Transaction>,
  options: HttpHandlerOptions = {},
): (request: DeliveryRequest, response: ServerResponse) => void {
  const handle = async (request: DeliveryRequest, response: ServerResponse): Promise<void> => {
    try {
      if (request.method !== 'POST') throw new DeliveryRefused('not-post', 'deliveries come by POST');
      const body = await bytesOf(request, receiver.maxBytes);
      const received = await receiver.receive({ headers: request.headers, body });
      response.writeHead(204).end();
      options.onReceived?.(received);
    } catch (error) {
      refuse(response, error);
      options.onError?.(error);
    }
  };
  return (request, response) => {
    // What fails beyond the answer is the listener's own doing: it must not end the process unseen.
    handle(request, response).catch((error: unknown) => process.emitWarning(String(error), 'TocsinReceiver'));
  };
}

async function bytesOf(request: DeliveryRequest, maxBytes: number): Promise<Uint8Array> {
  for (const kept of [request.rawBody, request.body]) {
    if (kept instanceof Uint8Array) return kept;
    if (typeof kept === 'string') return Buffer.from(kept, 'utf8');
  }
  if (request.readableDidRead || request.readableEnded) {
    throw new DeliveryRefused(
      'body-consumed',
      'a body parser has taken the bytes that are signed: put this route before it, or keep them with express.raw({ type: "*/*" })',
    );
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read to the end and dropped: an answer given before that is lost with the connection. But not for ever.
    if (bytes > maxBytes * MOST_DROPPED) throw tooLarge(maxBytes);
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  if (bytes > maxBytes) throw tooLarge(maxBytes);
  return Buffer.concat(chunks);
}

/** Says no with the reason, as a problem document (RFC 9457): Tocsin keeps it with the attempt. */
function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const refused = error instanceof DeliveryRefused ? error : undefined;
  const waitMs = isTocsinError(error) ? error.retryAfterMs : undefined;
  const status = refused?.status ?? (waitMs === undefined ? 500 : 503);
  // What a handler throws may name tables and hosts; it is for this side's eyes.
  const problem = {
    title: refused?.reason ?? 'not-handled',
    status,
    detail: refused?.message ?? 'the event was not handled',
  };
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    ...(waitMs === undefined ? {} : { 'retry-after': String(Math.ceil(waitMs / 1_000)) }),
    ...(refused?.reason === 'not-post' ? { allow: 'POST' } : {}),
  });
  response.end(JSON.stringify(problem));
}
