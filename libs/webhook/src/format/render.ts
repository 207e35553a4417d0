import type { Destination } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { renderWebhook } from './webhook.js';

/** What a request is made of. */
export interface RenderInput<D extends Destination = Destination> {
  /** With its secrets in place. */
  destination: D;
  event: RecordedEvent;
  /** Signing secrets in use now, newest first; formats that are not signed ignore them. */
  secrets: readonly string[];
  /** Epoch milliseconds of this attempt. */
  nowMs: number;
}

/** A request ready to be sent; the signature in its headers covers the very bytes of `body`. */
export interface RenderedRequest {
  url: string;
  headers: Record<string, string>;
  body: Buffer;
}

/**
 * The request that tells a destination of an event. Render anew for each attempt: the signature carries the time.
 * @throws TocsinError `TCN_INVALID` where a signed format has no usable secret
 */
export function renderRequest(input: RenderInput): RenderedRequest {
  return renderWebhook(input);
}
