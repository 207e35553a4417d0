import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { routeOf } from './http-metrics.js';

/** Names the span of a request by its route. There is no instrumentation for Nest 12 that would. */
export class SpanNames implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') {
      const request = context.switchToHttp().getRequest<Request>();
      const route = routeOf(request);
      if (route !== undefined) {
        trace.getActiveSpan()?.updateName(`${request.method} ${route}`).setAttribute('http.route', route);
      }
    }
    return next.handle();
  }
}
