import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { type Caller, callerOf } from './caller.js';
import { type WhileAllowed, watchKey } from './key-watch.js';
import { PUBLIC_METADATA, ROLES_METADATA, SCOPE_METADATA } from './metadata.js';
import type { Principal, Role } from './principal.js';

/** The route or controller needs no key. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(PUBLIC_METADATA, true);

/** The route or controller needs a key with one of these roles (or one that includes it). Without any mark a route is for admins. */
export const RequireRole = (...roles: [Role, ...Role[]]): ClassDecorator & MethodDecorator =>
  SetMetadata(ROLES_METADATA, roles);

/**
 * The route or controller sees to it that a key with a scope (`Principal.scope`) sees and changes only what is in it. Without this mark such a
 * key is refused: a call that was written without a thought of scopes would show it everything.
 */
export const RespectsScope = (): ClassDecorator & MethodDecorator => SetMetadata(SCOPE_METADATA, true);

/** Parameter: who calls. Only on routes that are not public. */
export const CurrentPrincipal = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Principal => knownCaller(context).principal,
);

/** Parameter of type `WhileAllowed`, for calls that last: how long the key of this one is good. Only on routes that are not public. */
export const KeyWatch = createParamDecorator((_data: unknown, context: ExecutionContext): WhileAllowed =>
  watchKey(knownCaller(context)),
);

function knownCaller(context: ExecutionContext): Caller {
  const caller = callerOf(context);
  if (caller === undefined) throw new TocsinError('TCN_INTERNAL', 'a public route asked who calls');
  return caller;
}
