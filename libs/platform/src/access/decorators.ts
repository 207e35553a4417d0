import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { principalOf } from './api-key-guard.js';
import { PUBLIC_METADATA, ROLES_METADATA } from './metadata.js';
import type { Principal, Role } from './principal.js';

/** The route or controller needs no key. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(PUBLIC_METADATA, true);

/** The route or controller needs a key with one of these roles (or one that includes it). Without any mark a route is for admins. */
export const RequireRole = (...roles: [Role, ...Role[]]): ClassDecorator & MethodDecorator =>
  SetMetadata(ROLES_METADATA, roles);

/** Parameter: who calls. Only on routes that are not public. */
export const CurrentPrincipal = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const principal = principalOf(context);
  if (principal === undefined) throw new TocsinError('TCN_INTERNAL', 'a public route asked who calls');
  return principal;
});
