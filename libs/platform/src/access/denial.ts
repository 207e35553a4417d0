import type { ArgumentsHost } from '@nestjs/common';
import type { ErrorCode, TocsinError } from '@tocsin/domain';
import type { Request } from 'express';
import { pathOf } from '../http/path-of.js';
import { redactPath } from '../logging/redact.js';
import { RateExceeded } from './call-rate.js';
import { callerOf } from './caller.js';

const DENIED: readonly ErrorCode[] = ['TCN_UNAUTHENTICATED', 'TCN_FORBIDDEN'];

/** Was a call denied: for want of a key, of permission, or for being made too often? Refusals for another reason are no denials. */
export function isDenial(error: TocsinError): boolean {
  return DENIED.includes(error.code) || error instanceof RateExceeded;
}

/** Who was denied what, and why, for the one line that the log has of it; never the key. */
export function describeDenial(host: ArgumentsHost, error: TocsinError): Record<string, unknown> {
  const principal = callerOf(host)?.principal;
  return {
    ...(host.getType() === 'http' ? httpCall(host.switchToHttp().getRequest<Request>()) : grpcCall(host)),
    code: error.code,
    reason: error.message,
    principal: principal?.name,
    role: principal?.role,
  };
}

function httpCall(request: Request): Record<string, unknown> {
  return {
    method: request.method,
    path: redactPath(pathOf(request.originalUrl)),
    remote: request.socket.remoteAddress,
  };
}

/** The third argument of a gRPC handler is the call itself. */
function grpcCall(host: ArgumentsHost): Record<string, unknown> {
  const call = host.getArgByIndex<{ getPath?(): string; getPeer?(): string } | undefined>(2);
  return { call: call?.getPath?.(), remote: call?.getPeer?.() };
}
