import type { Dispatcher } from 'undici';
import type { Connection } from './connection.js';

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

/** A status line and headers; the body still comes. */
export interface ResponseHead {
  status: number;
  headers: Record<string, string>;
  /** The body as far as it is wanted. Whatever goes wrong there, the status line stands: this never rejects. */
  body: Promise<ResponseBody>;
}

/** What was read of a body. */
export interface ResponseBody {
  bytes: number;
  text: string;
  /** It ended by itself, so that the connection can be used again. */
  complete: boolean;
}

/**
 * Sends the request and waits for the status line. Redirects are not followed, nothing is decompressed. Once the signal is aborted, or
 * enough of the body has come, nothing more is taken in; the caller ends the connection.
 * @param keepBytes more of the body than the usual head, for answers that are read by programs
 */
export function sendRequest(
  connection: Connection,
  request: ExchangeRequest & { keepBytes?: number | undefined },
  signal: AbortSignal,
): Promise<ResponseHead> {
  const exchange = new Exchange(request.keepBytes, signal);
  const { method, path, headers, body } = request;
  connection.client.dispatch({ method, path, headers, body: method === 'GET' ? null : body }, exchange);
  return exchange.head;
}

/** Takes in an answer as it comes: no stream, no iterator, since most answers have nothing to read. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #head = Promise.withResolvers<ResponseHead>();
  readonly #body = Promise.withResolvers<ResponseBody>();
  readonly #kept: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #encoding: string | undefined;
  #ended = false;
  readonly #onAbort = (): void => this.#end(false, this.signal.reason);

  constructor(
    keepBytes: number | undefined,
    private readonly signal: AbortSignal,
  ) {
    this.#kept = Math.min(keepBytes ?? HEAD_BYTES, MAX_KEPT_BYTES);
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get head(): Promise<ResponseHead> {
    return this.#head.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended) controller.abort(new Error('the attempt is over'));
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx: the answer itself is yet to come.
    if (status < 200 || this.#ended) return;
    const kept = keptHeaders(headers);
    this.#encoding = kept['content-encoding'];
    this.#head.resolve({ status, headers: kept, body: this.#body.promise });
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#bytes < this.#kept) this.#chunks.push(chunk.subarray(0, this.#kept - this.#bytes));
    this.#bytes += chunk.length;
    if (this.#bytes >= Math.max(this.#kept, READ_BYTES)) this.#end(false);
  }

  onResponseEnd(): void {
    this.#end(true);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(false, error);
  }

  #end(complete: boolean, error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.signal.removeEventListener('abort', this.#onAbort);
    // Of no effect where the status line has come.
    this.#head.reject(error);
    this.#body.resolve({ bytes: this.#bytes, text: textOf(this.#chunks, this.#encoding), complete });
    this.#chunks = [];
  }
}

function textOf(chunks: readonly Buffer[], encoding: string | undefined): string {
  if (chunks.length === 0) return '';
  if (encoding !== undefined && encoding !== 'identity') return `(${encoding}, not decompressed)`;
  // `stream` leaves out a character cut in half at the end. Postgres takes no NUL in text.
  return new TextDecoder('utf-8').decode(Buffer.concat(chunks), { stream: true }).replaceAll('\0', '\u{fffd}');
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
