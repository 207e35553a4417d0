import { HttpException } from '@nestjs/common';
import { faultsOf, type Problem } from '@tocsin/contracts';
import { ERROR_CATALOGUE, type ErrorCode, TocsinError } from '@tocsin/domain';
import { z } from 'zod';
import { codeOfHttpStatus, ERROR_STATUS } from './status.js';

/** The `type` of a problem: a name for ever, no address that may move. */
export function problemType(code: ErrorCode): string {
  return `urn:tocsin:error:${code}`;
}

/** Any thrown thing as an error with a code. What is not known to be the caller's fault is `TCN_INTERNAL`. */
export function toTocsinError(error: unknown): TocsinError {
  if (error instanceof TocsinError) return error;
  if (error instanceof z.ZodError) {
    return new TocsinError('TCN_INVALID', 'the request is not valid', { cause: error, faults: faultsOf(error) });
  }
  if (error instanceof HttpException) {
    return new TocsinError(codeOfHttpStatus(error.getStatus()), error.message, { cause: error });
  }
  return new TocsinError('TCN_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}

/**
 * The problem document (RFC 9457) of an error.
 * @param instance path that was called, without query
 */
export function toProblem(error: TocsinError, instance?: string): Problem {
  const { http, shown } = ERROR_STATUS[error.code];
  const { title } = ERROR_CATALOGUE[error.code];
  return {
    type: problemType(error.code),
    title,
    status: http,
    code: error.code,
    detail: shown && error.message !== '' ? error.message : title,
    ...(instance === undefined ? {} : { instance }),
    ...(error.faults.length === 0 ? {} : { errors: error.faults.map(({ pointer, detail }) => ({ pointer, detail })) }),
  };
}

/** Headers that belong to the answer with this error, beside the body. */
export function problemHeaders(error: TocsinError): Record<string, string> {
  const { http } = ERROR_STATUS[error.code];
  return {
    'content-type': 'application/problem+json; charset=utf-8',
    // RFC 9110 § 11.6.1: a 401 names the scheme that would help.
    ...(http === 401 ? { 'www-authenticate': 'Bearer realm="tocsin"' } : {}),
    // RFC 9110 § 10.2.3: whole seconds; rounded up, so that nobody comes too early.
    ...(error.retryAfterMs !== undefined && (http === 429 || http === 503)
      ? { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) }
      : {}),
  };
}
