import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { map, type Observable } from 'rxjs';
import type { Outcome } from '../log/outcome.js';
import { etagOf } from './conditions.js';
import { DRY_RUN_HEADER } from './write-query.js';

/** One thing as a call answers it. */
export class Answer<T extends { readonly revision: number }> {
  /** @param written what a write did, or in a dry run would do */
  constructor(
    readonly thing: T,
    readonly written?: { readonly outcome: Outcome; readonly dryRun: boolean },
  ) {}
}

/**
 * Writes an {@link Answer} as HTTP does: the revision as `ETag`, 201 and `Location` for what was created, the outcome of a dry run in a header.
 * What shows a secret is kept by nobody on its way.
 */
@Injectable()
export class AnswerWriter implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    return next.handle().pipe(
      map((answer: unknown) => {
        if (!isAnswer(answer)) return answer;
        writeHead(answer, http.getRequest<IncomingMessage>(), http.getResponse<ServerResponse>());
        return answer.thing;
      }),
    );
  }
}

function isAnswer(value: unknown): value is Answer<{ revision: number }> {
  return value instanceof Answer;
}

function writeHead(
  { thing, written }: Answer<{ revision: number }>,
  { url = '' }: IncomingMessage,
  response: ServerResponse,
): void {
  if (written?.dryRun === true) {
    response.setHeader(DRY_RUN_HEADER, written.outcome);
    return;
  }
  response.setHeader('etag', etagOf(thing.revision));
  if (written?.outcome === 'created') {
    response.statusCode = 201;
    response.setHeader('location', new URL(url, 'http://localhost').pathname);
  }
  if ('secret' in thing || 'key' in thing || 'token' in thing) response.setHeader('cache-control', 'no-store');
}
