import type { Request } from 'express';

/** The part of an Express router that says which routes there are. */
interface RouteLayer {
  match(path: string): boolean;
  route?: { methods?: Record<string, boolean>; path?: unknown };
}

/** Methods, upper case, that the path of a request would have taken; none if nothing is served there. */
export function allowedMethods(request: Request): string[] {
  const { router } = request.app as unknown as { router?: { stack?: RouteLayer[] } };
  const methods = new Set<string>();
  for (const layer of router?.stack ?? []) {
    if (layer.route?.methods === undefined || !matches(layer, request.path)) continue;
    for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase());
  }
  methods.delete('_ALL');
  // Express answers HEAD with the handler of GET.
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}

function matches(layer: RouteLayer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    // A path with a broken percent-encoding matches nothing.
    return false;
  }
}
