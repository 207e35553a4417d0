import {
  type ApplyReply,
  type applyRequestSchema,
  applyReplySchema,
  type SubscriptionView,
  subscriptionViewSchema,
  type TargetView,
  targetViewSchema,
} from '@tocsin/contracts';
import { ERROR_CATALOGUE, type ErrorCode, type Fault, isTocsinError, TocsinError } from '@tocsin/domain';
import { z } from 'zod';

/** Where and as whom to call. */
export interface ApiClientOptions {
  /** Of a standalone Tocsin, or of a gateway in front of the services: `http://127.0.0.1:7070`. */
  url: string;
  apiKey: string;
  /** How long one call may take, milliseconds. Default 30000. */
  timeoutMs?: number;
}

const problemSchema = z.looseObject({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

/** Calls the HTTP API. Every error of the API comes back as the TocsinError it was there. */
export class ApiClient {
  readonly #url: string;
  readonly #apiKey: string;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** Declares targets and subscriptions: all of it or nothing. */
  async apply(request: z.input<typeof applyRequestSchema>): Promise<ApplyReply> {
    return applyReplySchema.parse(await this.call('POST', '/v1/apply', request));
  }

  /** Declares a target. */
  async putTarget(name: string, spec: object): Promise<TargetView> {
    return targetViewSchema.parse(await this.call('PUT', `/v1/targets/${encodeURIComponent(name)}`, spec));
  }

  /** A target and its state. */
  async getTarget(name: string): Promise<TargetView> {
    return targetViewSchema.parse(await this.call('GET', `/v1/targets/${encodeURIComponent(name)}`));
  }

  /** Declares a subscription; the answer has its signing secret if this made it. */
  async putSubscription(name: string, spec: object): Promise<SubscriptionView> {
    return subscriptionViewSchema.parse(await this.call('PUT', `/v1/subscriptions/${encodeURIComponent(name)}`, spec));
  }

  /**
   * One call.
   * @returns the answer's JSON; undefined where it has none
   * @throws TocsinError the API's own; `TCN_UNAVAILABLE` where nothing listens, `TCN_TIMEOUT` where no answer comes
   */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await this.#send(method, path, body);
    const text = await response.text();
    const value = parsed(text);
    if (response.ok) return value;
    throw errorOf(response.status, value);
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
    } catch (error) {
      if (isTocsinError(error)) throw error;
      const late = error instanceof DOMException && error.name === 'TimeoutError';
      const detail = late ? `no answer within ${this.#timeoutMs} ms` : 'nothing answers there';
      throw new TocsinError(late ? 'TCN_TIMEOUT' : 'TCN_UNAVAILABLE', `${this.#url}: ${detail}`, { cause: error });
    }
  }
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function errorOf(status: number, value: unknown): TocsinError {
  const problem = problemSchema.safeParse(value);
  if (!problem.success)
    return new TocsinError('TCN_INTERNAL', `the answer is HTTP ${status} without a problem document`);
  const { code, detail, errors = [] } = problem.data;
  const known = code in ERROR_CATALOGUE ? (code as ErrorCode) : 'TCN_INTERNAL';
  return new TocsinError(known, detail, { faults: errors satisfies Fault[] });
}
