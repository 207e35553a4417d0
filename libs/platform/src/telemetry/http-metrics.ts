import { metrics } from '@opentelemetry/api';
import type { Request, Response } from 'express';

/** Upper bounds in seconds: a committed append is to stay under 50 ms, and nobody waits longer than 10 s. */
const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Measures answers by method, route and status. Must be made after `startMetrics`. */
export class HttpMetrics {
  readonly #duration = metrics.getMeter('@tocsin/platform').createHistogram('http_server_request_duration_seconds', {
    description: 'Time from a request to the end of its answer.',
    advice: { explicitBucketBoundaries: BOUNDS_S },
  });

  /** Call when the request comes in. */
  watch(request: Request, response: Response): void {
    const startedMs = performance.now();
    response.once('close', () => {
      this.#duration.record((performance.now() - startedMs) / 1_000, {
        method: request.method,
        // The pattern, not the path: names of things would make a series each.
        route: routeOf(request) ?? 'none',
        status: response.statusCode,
      });
    });
  }
}

/** Pattern of the route that took the request (`/v1/targets/:name`); undefined if none did. */
export function routeOf(request: Request): string | undefined {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : undefined;
}
