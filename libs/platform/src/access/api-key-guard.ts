import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { TocsinError } from '@tocsin/domain';
import type { Request } from 'express';
import { pathOf } from '../errors/problem-filter.js';
import type { Logger } from '../logging/logger.js';
import { redactPath } from '../logging/redact.js';
import { CallRate } from './call-rate.js';
import { PUBLIC_METADATA, ROLES_METADATA } from './metadata.js';
import { type KeyVerifier, type Principal, type Role, roleSatisfies } from './principal.js';

/** Longest key that is looked at: far above any real one, so that nobody makes us hash a megabyte. */
const KEY_MAX_CHARS = 1024;

const principals = new WeakMap<object, Principal>();

/** Who calls, once the guard has let the call in; undefined on public routes. */
export function principalOf(context: ExecutionContext): Principal | undefined {
  return principals.get(carrierOf(context));
}

/** Lets in who has a key with the needed role, over HTTP and gRPC alike. Every refusal is logged, without the key. */
export class ApiKeyGuard implements CanActivate {
  readonly #reflector: Reflector;
  readonly #verifier: KeyVerifier;
  readonly #logger: Logger;
  readonly #rate = new CallRate();

  constructor(reflector: Reflector, verifier: KeyVerifier, logger: Logger) {
    this.#reflector = reflector;
    this.#verifier = verifier;
    this.#logger = logger;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    if (this.#reflector.getAllAndOverride<boolean | undefined>(PUBLIC_METADATA, places) === true) return true;
    const required = this.#reflector.getAllAndOverride<readonly Role[] | undefined>(ROLES_METADATA, places) ?? [
      'admin',
    ];
    const key = bearerKey(authorizationOf(context));
    if (key === undefined) {
      throw this.#denied(
        context,
        new TocsinError('TCN_UNAUTHENTICATED', 'send an API key: Authorization: Bearer <key>'),
      );
    }
    const principal = await this.#verifier.verify(key);
    if (principal === undefined) {
      throw this.#denied(context, new TocsinError('TCN_UNAUTHENTICATED', 'this API key is not known'));
    }
    if (!roleSatisfies(principal.role, required)) {
      const detail = `this needs a key with the role ${required.join(' or ')}; the key "${principal.name}" has the role ${principal.role}`;
      throw this.#denied(context, new TocsinError('TCN_FORBIDDEN', detail), principal);
    }
    await this.#rate.count(principal);
    principals.set(carrierOf(context), principal);
    return true;
  }

  #denied(context: ExecutionContext, error: TocsinError, principal?: Principal): TocsinError {
    const call =
      context.getType() === 'http'
        ? httpCall(context.switchToHttp().getRequest<Request>())
        : { call: `${context.getClass().name}.${context.getHandler().name}` };
    this.#logger.warn({ ...call, code: error.code, principal: principal?.name, role: principal?.role }, 'call denied');
    return error;
  }
}

function httpCall(request: Request): Record<string, unknown> {
  return {
    method: request.method,
    path: redactPath(pathOf(request.originalUrl)),
    remote: request.socket.remoteAddress,
  };
}

/** What belongs to this call alone: the HTTP request, or the metadata of the gRPC call. */
function carrierOf(context: ExecutionContext): object {
  return context.getType() === 'http'
    ? context.switchToHttp().getRequest<Request>()
    : context.switchToRpc().getContext<object>();
}

function authorizationOf(context: ExecutionContext): string | undefined {
  if (context.getType() === 'http') return context.switchToHttp().getRequest<Request>().headers.authorization;
  // gRPC metadata: a list of values for a name.
  const metadata = context.switchToRpc().getContext<{ get?: (name: string) => unknown[] }>();
  const [value] = metadata.get?.('authorization') ?? [];
  return typeof value === 'string' ? value : undefined;
}

/** RFC 6750 § 2.1; the scheme in any case. */
function bearerKey(authorization: string | undefined): string | undefined {
  const match = /^bearer +(\S+) *$/i.exec(authorization ?? '');
  const key = match?.[1];
  return key === undefined || key.length > KEY_MAX_CHARS ? undefined : key;
}
