import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { AnswerStore } from './answer-store.js';
import { type Exchange, grpcExchange, httpExchange } from './exchange.js';

/**
 * A write that names itself (`Idempotency-Key` over HTTP, `request_id` over gRPC) has one effect however often it is sent: a repeat is
 * answered as the first was, with the secrets that are otherwise shown once. Only success is kept; what was refused may be sent again.
 */
@Injectable()
export class OnceOnly implements NestInterceptor {
  constructor(@Inject(AnswerStore) private readonly answers: AnswerStore) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const exchange: Exchange = context.getType() === 'http' ? httpExchange(context) : grpcExchange(context);
    const { once } = exchange;
    if (once === undefined) return next.handle();
    const given = await this.answers.begin(once, exchange.fingerprint());
    if (given !== undefined) return of(exchange.repeat(given));
    let body: unknown;
    try {
      body = await lastValueFrom(next.handle(), { defaultValue: undefined });
    } catch (error) {
      await this.answers.abandon(once);
      throw error;
    }
    await this.answers.finish(once, exchange.given(body));
    return of(body);
  }
}
