import { type CallHandler, type ExecutionContext, type NestInterceptor, SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { TocsinError } from '@tocsin/domain';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import { workSlices } from '../work-slices.js';
import { isJsonMediaType, JSON_MEDIA_TYPES, type MediaType, parseJsonBody, parseMediaType } from './json-body.js';

/** Largest request body by default, in bytes. A batch of 1,000 events of 1 KiB fits; a webhook carries at most 256 KiB anyway. */
export const BODY_LIMIT_BYTES = 1024 * 1024;

const ANY_CONTENT_METADATA = 'tocsin:any-content';

/**
 * The route takes a body of any content type, as `@RawBody() body: Buffer | undefined`. Where the type is JSON (`application/json`,
 * `…+json`) `@Body()` has the parsed value as well.
 */
export const AnyContentType = (): MethodDecorator => SetMetadata(ANY_CONTENT_METADATA, true);

const BODY_LIMIT_METADATA = 'tocsin:body-limit';

/** The route takes bodies of up to this many bytes, instead of what the process takes elsewhere. */
export const BodyLimit = (bytes: number): MethodDecorator => SetMetadata(BODY_LIMIT_METADATA, bytes);

type RequestWithBody = Request & { rawBody?: Buffer };

/**
 * Reads the body of a request once the guard has let the call in, so that nobody without a key makes us hold or parse anything.
 * Leaves the bytes in `request.rawBody` and the JSON value in `request.body`; both undefined where there is no body.
 *
 * Fails with `TCN_TOO_LARGE`, `TCN_UNSUPPORTED_MEDIA_TYPE` (also for any `Content-Encoding`: nothing is decompressed) or `TCN_MALFORMED`.
 */
export class BodyReader implements NestInterceptor {
  readonly #reflector: Reflector;
  readonly #limitBytes: number;

  constructor(reflector: Reflector, limitBytes: number = BODY_LIMIT_BYTES) {
    this.#reflector = reflector;
    this.#limitBytes = limitBytes;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<RequestWithBody>();
    if (!announcesBody(request)) return next.handle();
    const anyType = this.#reflector.get<boolean | undefined>(ANY_CONTENT_METADATA, context.getHandler()) === true;
    const limitBytes =
      this.#reflector.get<number | undefined>(BODY_LIMIT_METADATA, context.getHandler()) ?? this.#limitBytes;
    const response = context.switchToHttp().getResponse<Response>();
    return this.#read(request, response, { anyType, limitBytes }).then(() => next.handle());
  }

  async #read(
    request: RequestWithBody,
    response: Response,
    { anyType, limitBytes }: { anyType: boolean; limitBytes: number },
  ): Promise<void> {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new TocsinError('TCN_UNSUPPORTED_MEDIA_TYPE', 'send the body without Content-Encoding');
    }
    const mediaType = parseMediaType(request.headers['content-type']);
    const json = anyType ? isJsonMediaType(mediaType) : isOwnJson(mediaType);
    if (!json && !anyType) throw unsupported(mediaType);
    if (json && mediaType?.charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(mediaType.charset)) {
      throw new TocsinError('TCN_UNSUPPORTED_MEDIA_TYPE', 'JSON is UTF-8; no other charset is taken');
    }
    let body: Buffer;
    try {
      body = await readAll(request, limitBytes);
    } catch (error) {
      // The rest of the body is still on its way: this connection cannot carry another request.
      response.setHeader('connection', 'close');
      throw error;
    }
    if (body.length === 0) return;
    // Parsing, and what follows from it, is most of the work of a request.
    await workSlices.next();
    request.rawBody = body;
    if (json) request.body = parseJsonBody(body);
  }
}

function announcesBody(request: Request): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

function isOwnJson(mediaType: MediaType | undefined): boolean {
  return mediaType !== undefined && (JSON_MEDIA_TYPES as readonly string[]).includes(mediaType.essence);
}

function unsupported(mediaType: MediaType | undefined): TocsinError {
  const sent = mediaType === undefined ? 'a body without a Content-Type' : `Content-Type ${mediaType.essence}`;
  return new TocsinError('TCN_UNSUPPORTED_MEDIA_TYPE', `${sent} is not taken here; send application/json`);
}

function readAll(request: Request, limitBytes: number): Promise<Buffer> {
  const tooLarge = () => new TocsinError('TCN_TOO_LARGE', `the body is larger than ${limitBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) return Promise.reject(tooLarge());
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limitBytes) settle(() => reject(tooLarge()));
    else chunks.push(chunk);
  };
  const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
  const onBroken = () =>
    settle(() => reject(new TocsinError('TCN_MALFORMED', 'the body ended before its announced length')));
  const settle = (finish: () => void) => {
    request.off('data', onData).off('end', onEnd).off('close', onBroken).off('error', onBroken);
    // An error may still come after this, when the peer breaks the connection; nobody else listens for it.
    request.on('error', () => undefined);
    finish();
  };
  request.on('data', onData).on('end', onEnd).on('close', onBroken).on('error', onBroken);
  return promise;
}
