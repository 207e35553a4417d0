import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { TocsinError } from '@tocsin/domain';
import type { Request, Response } from 'express';
import { isDeepStrictEqual } from 'node:util';
import { CallRate } from './call-rate.js';
import { rememberCaller } from './caller.js';
import { PUBLIC_METADATA, ROLES_METADATA, SCOPE_METADATA } from './metadata.js';
import { hasScope, type KeyVerifier, type Principal, type Role, roleSatisfies, scopeText } from './principal.js';

/** Longest key that is looked at: far above any real one, so that nobody makes us hash a megabyte. */
const KEY_MAX_CHARS = 1024;

/** Lets in who has a key with the needed role, over HTTP and gRPC alike. What it refuses the error filter logs, without the key. */
export class ApiKeyGuard implements CanActivate {
  readonly #reflector: Reflector;
  readonly #verifier: KeyVerifier;
  readonly #rate = new CallRate();

  constructor(reflector: Reflector, verifier: KeyVerifier) {
    this.#reflector = reflector;
    this.#verifier = verifier;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    if (this.#reflector.getAllAndOverride<boolean | undefined>(PUBLIC_METADATA, places) === true) return true;
    const required = this.#reflector.getAllAndOverride<readonly Role[] | undefined>(ROLES_METADATA, places) ?? [
      'admin',
    ];
    const key = bearerKey(authorizationOf(context));
    if (key === undefined) {
      throw new TocsinError('TCN_UNAUTHENTICATED', 'send an API key: Authorization: Bearer <key>');
    }
    const principal = await this.#verifier.verify(key);
    if (principal === undefined) throw new TocsinError('TCN_UNAUTHENTICATED', 'this API key is not known');
    rememberCaller(context, { principal, stillAllowed: () => this.#isStill(principal, key, required) });
    if (!roleSatisfies(principal.role, required)) {
      const detail = `this needs a key with the role ${required.join(' or ')}; the key "${principal.name}" has the role ${principal.role}`;
      throw new TocsinError('TCN_FORBIDDEN', detail);
    }
    if (hasScope(principal) && !this.#reflector.getAllAndOverride<boolean | undefined>(SCOPE_METADATA, places)) {
      const detail = `the key "${principal.name}" is for ${scopeText(principal.scope)} only, and this call is about everything`;
      throw new TocsinError('TCN_FORBIDDEN', detail);
    }
    await this.#rate.count(principal);
    requirePresence(context);
    return true;
  }

  /** A registry that does not answer refuses its keys, here as for new calls. */
  async #isStill(principal: Principal, key: string, required: readonly Role[]): Promise<boolean> {
    try {
      const now = await this.#verifier.verify(key);
      return now !== undefined && roleSatisfies(now.role, required) && isDeepStrictEqual(now.scope, principal.scope);
    } catch {
      return false;
    }
  }
}

/**
 * Looking a key up may take a while, and whoever has gone meanwhile is not served: what is let in now ends what it began when its response
 * closes, and that has happened already.
 */
function requirePresence(context: ExecutionContext): void {
  if (context.getType() !== 'http' || !context.switchToHttp().getResponse<Response>().closed) return;
  throw new TocsinError('TCN_MALFORMED', 'the caller has gone before its key was looked up');
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
