import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, type ModulesContainer, type Reflector } from '@nestjs/core';
import { PUBLIC_METADATA, ROLES_METADATA, SCOPE_METADATA } from '../access/metadata.js';
import type { Role } from '../access/principal.js';

/** A route as the application serves it. */
export interface ServedRoute {
  /** Upper case. */
  readonly method: string;
  /** With parameters as OpenAPI writes them: `/v1/targets/{name}`. */
  readonly path: string;
  /** Unique in the application: `targetPut`. */
  readonly id: string;
  /** A key needs one of these roles, or one that includes it; absent where no key is needed. */
  readonly roles: readonly Role[] | undefined;
  /** A key with a scope may call it, and sees no more than what is in it. */
  readonly scoped: boolean;
}

type Handler = (...parameters: never[]) => unknown;

/** Every HTTP route of the application, read off its controllers; the guard reads the same marks. */
export function servedRoutes(modules: ModulesContainer, reflector: Reflector): ServedRoute[] {
  const scanner = new MetadataScanner();
  const routes: ServedRoute[] = [];
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as Record<string, Handler>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name];
        const method = handler && (Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined);
        if (handler === undefined || method === undefined) continue;
        const isPublic = reflector.getAllAndOverride<boolean | undefined>(PUBLIC_METADATA, [handler, metatype]);
        const roles = reflector.getAllAndOverride<readonly Role[] | undefined>(ROLES_METADATA, [handler, metatype]);
        const paths = [Reflect.getMetadata(PATH_METADATA, metatype), Reflect.getMetadata(PATH_METADATA, handler)];
        routes.push({
          method: RequestMethod[method],
          path: joined(paths),
          id: idOf(metatype.name, name),
          roles: isPublic === true ? undefined : (roles ?? ['admin']),
          scoped: reflector.getAllAndOverride<boolean | undefined>(SCOPE_METADATA, [handler, metatype]) === true,
        });
      }
    }
  }
  return routes.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

/** How descriptions name a route. */
export function keyOf({ method, path }: Pick<ServedRoute, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

function joined(paths: readonly unknown[]): string {
  const parts = paths
    .flatMap((path) => (typeof path === 'string' ? path.split('/') : []))
    .filter((part) => part !== '');
  return `/${parts.map((part) => (part.startsWith(':') ? `{${part.slice(1)}}` : part)).join('/')}`;
}

function idOf(controller: string, handler: string): string {
  const thing = controller.replace(/Controller$/, '');
  return `${thing.charAt(0).toLowerCase()}${thing.slice(1)}${handler.charAt(0).toUpperCase()}${handler.slice(1)}`;
}
