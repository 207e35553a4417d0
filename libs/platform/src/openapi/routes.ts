import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, type ModulesContainer, type Reflector } from '@nestjs/core';
import { PUBLIC_METADATA, ROLES_METADATA, SCOPE_METADATA } from '../access/metadata.js';
import type { Role } from '../access/principal.js';

/** What the marks of a handler and its controller say about who may call it; the guard reads the same ones. */
export interface Access {
  /** A key needs one of these roles, or one that includes it; absent where no key is needed. */
  readonly roles: readonly Role[] | undefined;
  /** A role, or that none is needed, is said and not just the default. */
  readonly declared: boolean;
  /** A key with a scope may call it, and sees no more than what is in it. */
  readonly scoped: boolean;
}

/** A route as the application serves it. */
export interface ServedRoute extends Access {
  /** Upper case. */
  readonly method: string;
  /** With parameters as OpenAPI writes them: `/v1/targets/{name}`. */
  readonly path: string;
  /** Unique in the application: `targetPut`. */
  readonly id: string;
}

/** A call over gRPC as the application serves it. */
export interface ServedCall extends Access {
  /** Without its package: `EventLog`. */
  readonly service: string;
  readonly method: string;
}

/** Where Nest's decorators of messages leave their patterns; the name is theirs. */
const RPC_PATTERN_METADATA = 'microservices:pattern';

type Handler = (...parameters: never[]) => unknown;

/** Every HTTP route of the application, read off its controllers. */
export function servedRoutes(modules: ModulesContainer, reflector: Reflector): ServedRoute[] {
  const routes = handlersOf(modules).flatMap(({ controller, name, handler }): ServedRoute[] => {
    const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
    if (method === undefined) return [];
    const paths = [Reflect.getMetadata(PATH_METADATA, controller), Reflect.getMetadata(PATH_METADATA, handler)];
    return [
      {
        method: RequestMethod[method],
        path: joined(paths),
        id: idOf(controller.name, name),
        ...accessOf(handler, controller, reflector),
      },
    ];
  });
  return routes.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

/** Every gRPC call of the application, read off its controllers. */
export function servedCalls(modules: ModulesContainer, reflector: Reflector): ServedCall[] {
  return handlersOf(modules).flatMap(({ controller, handler }): ServedCall[] => {
    const patterns = (Reflect.getMetadata(RPC_PATTERN_METADATA, handler) ?? []) as { service?: string; rpc?: string }[];
    return patterns.flatMap(({ service, rpc }) =>
      service === undefined || rpc === undefined
        ? []
        : [{ service, method: rpc, ...accessOf(handler, controller, reflector) }],
    );
  });
}

function handlersOf(modules: ModulesContainer): { controller: Type; name: string; handler: Handler }[] {
  const scanner = new MetadataScanner();
  return [...modules.values()].flatMap(({ controllers }) =>
    [...controllers.values()].flatMap(({ metatype }) => {
      if (typeof metatype !== 'function') return [];
      const controller = metatype as Type;
      const prototype = controller.prototype as Record<string, Handler>;
      return scanner.getAllMethodNames(prototype).flatMap((name) => {
        const handler = prototype[name];
        return handler === undefined ? [] : [{ controller, name, handler }];
      });
    }),
  );
}

function accessOf(handler: Handler, controller: Type, reflector: Reflector): Access {
  const places = [handler, controller];
  const isPublic = reflector.getAllAndOverride<boolean | undefined>(PUBLIC_METADATA, places) === true;
  const roles = reflector.getAllAndOverride<readonly Role[] | undefined>(ROLES_METADATA, places);
  return {
    roles: isPublic ? undefined : (roles ?? ['admin']),
    declared: isPublic || roles !== undefined,
    scoped: reflector.getAllAndOverride<boolean | undefined>(SCOPE_METADATA, places) === true,
  };
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
