import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { faultAt } from '../request/fault.js';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { AnswerStore, type GivenAnswer, type OnceKey } from './answer-store.js';

const KEY = /^[\x21-\x7e]{1,255}$/;
/** What an answer says beside its body. */
const KEPT_HEADERS = ['etag', 'location', 'tocsin-dry-run'];

type Request = IncomingMessage & { originalUrl?: string; rawBody?: Buffer };

/**
 * A write that carries an `Idempotency-Key` has one effect however often it is sent: a repeat is answered as the first was, with the
 * secrets that are otherwise shown once. Only success is kept; what was refused may be sent again.
 */
@Injectable()
export class OnceOnly implements NestInterceptor {
  constructor(@Inject(AnswerStore) private readonly answers: AnswerStore) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const once = onceKeyOf(request);
    if (once === undefined) return next.handle();
    const given = await this.answers.begin(once, fingerprintOf(request));
    if (given !== undefined) return of(repeat(given, response));
    let body: unknown;
    try {
      body = await lastValueFrom(next.handle(), { defaultValue: undefined });
    } catch (error) {
      await this.answers.abandon(once);
      throw error;
    }
    await this.answers.finish(once, answerOf(response, body));
    return of(body);
  }
}

function onceKeyOf(request: Request): OnceKey | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined || request.method === 'GET' || request.method === 'HEAD') return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw faultAt('TCN_INVALID', 'Idempotency-Key', '', 'must be 1 to 255 printable ASCII characters');
  }
  // The guard has found the API key good; its digest tells callers apart without saying anything about it.
  return { caller: digest(request.headers.authorization ?? '').toString('base64url'), key };
}

function fingerprintOf(request: Request): Buffer {
  const { method, originalUrl, headers } = request;
  const said = JSON.stringify([method, originalUrl, headers['if-match'], headers['if-none-match']]);
  return digest(said, request.rawBody ?? Buffer.of());
}

function digest(...parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function answerOf(response: ServerResponse, body: unknown): GivenAnswer {
  const headers = KEPT_HEADERS.flatMap((name): [string, string][] => {
    const value = response.getHeader(name);
    return typeof value === 'string' ? [[name, value]] : [];
  });
  return { status: response.statusCode, headers: Object.fromEntries(headers), ...(body === undefined ? {} : { body }) };
}

function repeat(given: GivenAnswer, response: ServerResponse): unknown {
  response.statusCode = given.status;
  for (const [name, value] of Object.entries(given.headers)) response.setHeader(name, value);
  response.setHeader('idempotent-replayed', 'true');
  return given.body;
}
