import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import { type Fault, TocsinError } from '@tocsin/domain';
import type { Request, Response } from 'express';
import { type Observable, throwError } from 'rxjs';
import type { Logger } from '../logging/logger.js';
import { describeDenial, isDenial } from '../access/denial.js';
import { pathOf } from '../http/path-of.js';
import { redactPath } from '../logging/redact.js';
import { allowedMethods } from './allowed-methods.js';
import { problemHeaders, toProblem, toTocsinError } from './problem.js';
import { ERROR_STATUS, GRPC_STATUS } from './status.js';

/** What grpc-js makes a status of. */
export interface GrpcError {
  code: number;
  message: string;
  details: string;
  /** The stable code by itself. */
  reason: string;
  /** Fields at fault; what they point into is the message that was sent, where that is known. */
  faults: readonly Fault[];
  /** Milliseconds after which a retry makes sense, where that is known. */
  retryAfterMs: number | undefined;
}

/** A gRPC status of an error; the details begin with our code, since gRPC's own are too few to tell errors apart. */
export function toGrpcError(error: TocsinError): GrpcError {
  const { detail } = toProblem(error);
  const details = `${error.code}: ${detail}`;
  return {
    code: GRPC_STATUS[ERROR_STATUS[error.code].grpc],
    message: details,
    details,
    reason: error.code,
    faults: error.faults,
    retryAfterMs: error.retryAfterMs,
  };
}

/** Answers every error, of ours or of the framework: over HTTP with a problem document, over gRPC with a status. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  catch(thrown: unknown, host: ArgumentsHost): Observable<never> | void {
    if (host.getType() !== 'http') {
      const error = toTocsinError(thrown);
      this.#log(error, thrown, host, {});
      return throwError(() => toGrpcError(error));
    }
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const path = pathOf(request.originalUrl);
    let error = toTocsinError(thrown);
    // Only the framework itself throws this one: no route took the request.
    if (thrown instanceof NotFoundException) {
      const methods = allowedMethods(request);
      error =
        methods.length === 0
          ? new TocsinError('TCN_NOT_FOUND', `nothing is served at ${path}`)
          : new TocsinError('TCN_METHOD_NOT_ALLOWED', `${path} takes ${methods.join(', ')}, not ${request.method}`);
      if (methods.length > 0 && !response.headersSent) response.setHeader('allow', methods.join(', '));
    }
    this.#log(error, thrown, host, { method: request.method, path: redactPath(path) });
    if (response.headersSent) {
      // Half an answer is out: the one honest sign left is to break the connection.
      response.destroy();
      return;
    }
    const problem = toProblem(error, path);
    response.writeHead(problem.status, problemHeaders(error)).end(JSON.stringify(problem));
  }

  /** One line for each. A denied call is named with who made it: somebody may be trying what he must not. */
  #log(error: TocsinError, thrown: unknown, host: ArgumentsHost, fields: Record<string, unknown>): void {
    if (isDenial(error)) {
      this.#logger.warn(describeDenial(host, error), 'call denied');
      return;
    }
    const status = ERROR_STATUS[error.code].http;
    const entry = { ...fields, code: error.code, status };
    if (status === 500) this.#logger.error({ ...entry, err: thrown }, 'request failed');
    else if (status > 500) this.#logger.warn({ ...entry, detail: error.message }, 'request not served');
    else this.#logger.debug({ ...entry, detail: error.message }, 'request refused');
  }
}
