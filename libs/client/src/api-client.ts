import type { ApplyReply, applyRequestSchema, SubscriptionView, TargetView } from '@tocsin/contracts';
import { ERROR_CATALOGUE, type ErrorCode, type Fault, isTocsinError, TocsinError } from '@tocsin/domain';
import type { z } from 'zod';

/** Where and as whom to call. */
export interface ApiClientOptions {
  /** Of a standalone Tocsin, or of a gateway in front of the services: `http://127.0.0.1:7070`. */
  url: string;
  /** Left out: only calls that need none, such as `/readyz`, are answered. */
  apiKey?: string | undefined;
  /** How long one call may take, milliseconds. Default 30000. */
  timeoutMs?: number;
}

/** What one call sends beside method and path. */
export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** Ends the call, and the reading of its answer. */
  signal?: AbortSignal;
  /** Until the head of the answer is there, milliseconds; default the client's. The body of an opened answer may take longer. */
  timeoutMs?: number;
  /** Statuses beside 2xx that are answers and no errors here. */
  accept?: readonly number[];
}

/** Calls the HTTP API. Every error of the API comes back as the TocsinError it was there. */
export class ApiClient {
  readonly #url: string;
  readonly #apiKey: string | undefined;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** Declares targets and subscriptions: all of it or nothing. */
  async apply(request: z.input<typeof applyRequestSchema>): Promise<ApplyReply> {
    const { applyReplySchema } = await schemas();
    return applyReplySchema.parse(await this.call('POST', '/v1/apply', request));
  }

  /** Declares a target. */
  async putTarget(name: string, spec: object): Promise<TargetView> {
    const { targetViewSchema } = await schemas();
    return targetViewSchema.parse(await this.call('PUT', `/v1/targets/${encodeURIComponent(name)}`, spec));
  }

  /** A target and its state. */
  async getTarget(name: string): Promise<TargetView> {
    const { targetViewSchema } = await schemas();
    return targetViewSchema.parse(await this.call('GET', `/v1/targets/${encodeURIComponent(name)}`));
  }

  /** Declares a subscription; the answer has its signing secret if this made it. */
  async putSubscription(name: string, spec: object): Promise<SubscriptionView> {
    const { subscriptionViewSchema } = await schemas();
    return subscriptionViewSchema.parse(await this.call('PUT', `/v1/subscriptions/${encodeURIComponent(name)}`, spec));
  }

  /**
   * One call.
   * @returns the answer's JSON; undefined where it has none
   * @throws TocsinError the API's own; `TCN_UNAVAILABLE` where nothing listens, `TCN_TIMEOUT` where no answer comes
   */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const response = await this.open(method, path, { body, signal });
    return parsed(await this.#reading(this.#timeoutMs, () => response.text()));
  }

  /**
   * One call whose answer the caller reads: a stream of events, lines of a proof, text.
   * @returns an answer with a status of success
   * @throws TocsinError as {@link call} does
   */
  async open(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const response = await this.#reading(timeoutMs, () => this.#send(method, path, options, timeoutMs));
    if (response.ok || options.accept?.includes(response.status) === true) return response;
    const value = parsed(await this.#reading(timeoutMs, () => response.text()));
    throw errorOf(response, value);
  }

  async #send(method: string, path: string, options: CallOptions, timeoutMs: number): Promise<Response> {
    const { body, headers, signal } = options;
    const head = new AbortController();
    // Holds until the head is there and no longer: the answer may be a stream without an end.
    const timer = setTimeout(() => head.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        headers: {
          ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The key is for this address and no other.
        redirect: 'manual',
        signal: signal === undefined ? head.signal : AbortSignal.any([head.signal, signal]),
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #reading<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isTocsinError(error)) throw error;
      if (error instanceof DOMException && error.name === 'TimeoutError') {
        throw new TocsinError('TCN_TIMEOUT', `${this.#url}: no answer within ${timeoutMs} ms`, { cause: error });
      }
      throw new TocsinError('TCN_UNAVAILABLE', `${this.#url}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** Loaded when they are needed: a command that only lists should not wait for every schema there is. */
function schemas(): Promise<typeof import('@tocsin/contracts')> {
  return import('@tocsin/contracts');
}

/** Why there was no answer, by the code of the cause: `fetch` itself only says that it failed. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'nothing answers there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name does not resolve';
  const message = cause instanceof Error ? cause.message : String(cause);
  return message === '' ? `no connection (${code})` : message;
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function errorOf(response: Response, value: unknown): TocsinError {
  const { status } = response;
  const retryAfterMs = retryAfter(response);
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (!isRecord(value) || typeof value['code'] !== 'string' || typeof value['detail'] !== 'string') {
    // Something that stands between us and the API, and may be over the next moment if its status says so.
    const code = [502, 503, 504].includes(status) ? 'TCN_UNAVAILABLE' : 'TCN_INTERNAL';
    return new TocsinError(code, `the answer is HTTP ${status} without a problem document`, hint);
  }
  const { code, detail, errors } = value as { code: string; detail: string; errors?: unknown };
  const faults = Array.isArray(errors) ? errors.filter(isFault) : [];
  if (Object.hasOwn(ERROR_CATALOGUE, code)) return new TocsinError(code as ErrorCode, detail, { faults, ...hint });
  // A newer API than this client.
  return new TocsinError('TCN_INTERNAL', `${code}: ${detail}`, { faults, ...hint });
}

function retryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after') ?? '';
  return /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFault(value: unknown): value is Fault {
  return isRecord(value) && typeof value['pointer'] === 'string' && typeof value['detail'] === 'string';
}
