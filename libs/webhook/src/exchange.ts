import type { Dispatcher } from 'undici';
import type { Connection } from './connection.js';
import { orAborted } from './abort.js';

/** Where the answer itself is wanted (a token, a search result), at most this much of it. Bytes. */
export const MAX_KEPT_BYTES = 256 * 1024;
/** Read at most this much of a response, then close: an answer to a webhook has nothing to say in more. Bytes. */
const READ_BYTES = 16 * 1024;
/** Keep this much of it for people who look for a reason. Bytes. */
const HEAD_BYTES = 4 * 1024;
/** Longest header value kept. Characters. */
const HEADER_CHARS = 256;

/** Response headers that help to understand an answer and carry no secrets (no cookies, no tokens). */
const KEPT_HEADERS = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'date',
  'location',
  'retry-after',
  'server',
  'via',
  'www-authenticate',
  'x-request-id',
  'x-correlation-id',
]);

/** What goes over the connection. */
export interface ExchangeRequest {
  method: 'GET' | 'POST' | 'PUT';
  /** Path and query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** A status line and headers; the body still waits. */
export interface ResponseHead {
  status: number;
  headers: Record<string, string>;
  body: Dispatcher.ResponseData['body'];
}

/** What was read of a body. */
export interface ResponseBody {
  bytes: number;
  text: string;
  /** It ended by itself, so that the connection can be used again. */
  complete: boolean;
}

/** Sends the request and waits for the status line. Redirects are not followed, nothing is decompressed. */
export async function sendRequest(
  connection: Connection,
  request: ExchangeRequest,
  signal: AbortSignal,
): Promise<ResponseHead> {
  const response = await orAborted(
    connection.client.request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.method === 'GET' ? null : request.body,
      highWaterMark: READ_BYTES,
    }),
    signal,
  );
  return { status: response.statusCode, headers: keptHeaders(response.headers), body: response.body };
}

/**
 * Reads the body as far as it is wanted. Whatever goes wrong there, the status line stands.
 * @param keepBytes more than the usual head, for answers that are read by programs
 */
export async function readBody(
  head: ResponseHead,
  keepBytes: number | undefined,
  signal: AbortSignal,
): Promise<ResponseBody> {
  const kept = Math.min(keepBytes ?? HEAD_BYTES, MAX_KEPT_BYTES);
  const limit = Math.max(kept, READ_BYTES);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let complete = false;
  const read = async (): Promise<void> => {
    for await (const chunk of head.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes - chunk.length < kept) chunks.push(chunk.subarray(0, kept));
      if (bytes >= limit) return;
    }
    complete = true;
  };
  try {
    await orAborted(read(), signal);
  } catch {
    // Broken off, malformed or too slow: noted as incomplete, and not a failure (the status line alone decides).
  }
  return { bytes, text: textOf(Buffer.concat(chunks).subarray(0, kept), head.headers['content-encoding']), complete };
}

function textOf(body: Buffer, encoding: string | undefined): string {
  if (body.length === 0) return '';
  if (encoding !== undefined && encoding !== 'identity') return `(${encoding}, not decompressed)`;
  // `stream` leaves out a character cut in half at the end. Postgres takes no NUL in text.
  return new TextDecoder('utf-8').decode(body, { stream: true }).replaceAll('\0', '\u{fffd}');
}

function keptHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = headers[name];
    const text = Array.isArray(value) ? value[0] : value;
    if (text !== undefined) kept[name] = text.slice(0, HEADER_CHARS).replaceAll('\0', '');
  }
  return kept;
}
