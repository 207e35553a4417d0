import { TocsinError } from '@tocsin/domain';
import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import { z } from 'zod';
import type { Broker, Serving } from './broker.js';

export interface NatsTransportOptions {
  broker: Broker;
  /** Queue group of all handlers: of all replicas of a service one answers. */
  queue: string;
  /** Told of errors that reach the caller as `TCN_INTERNAL` only. */
  onError?: (error: unknown, subject: string) => void;
}

/**
 * Nest microservice strategy for request/reply over a Broker: `@MessagePattern('tocsin.rpc.…')` answers on that subject, in the envelope
 * of {@link Broker.request}. Let {@link TocsinErrorFilter} be a global filter of the microservice, else Nest hides every error's code.
 * The broker is not closed with it. `@EventPattern` is not for it: events come from the log.
 */
export class NatsTransport extends Server implements CustomTransportStrategy {
  readonly #options: NatsTransportOptions;
  readonly #serving: Serving[] = [];

  constructor(options: NatsTransportOptions) {
    super();
    this.#options = options;
  }

  listen(callback: (error?: unknown) => void): void {
    for (const [pattern, handler] of this.messageHandlers) {
      if (handler.isEventHandler === true) {
        callback(new TypeError(`@EventPattern("${pattern}"): the NATS transport takes @MessagePattern only`));
        return;
      }
    }
    for (const [pattern, handler] of this.messageHandlers) this.#serving.push(this.#serve(pattern, handler));
    // Announced where that can be done now; a broken connection is no reason not to start.
    if (!this.#options.broker.connected()) callback();
    else void Promise.all(this.#serving.map((serving) => serving.ready)).then(() => callback());
  }

  async close(): Promise<void> {
    await Promise.all(this.#serving.splice(0).map((serving) => serving.close()));
  }

  /** The connection reports its own state; there are no events here. */
  on(): void {
    throw new TypeError('the NATS transport has no events: ask its Broker');
  }

  /** The Broker. */
  unwrap<T>(): T {
    return this.#options.broker as T;
  }

  #serve(pattern: string, handler: MessageHandler): Serving {
    const { broker, queue, onError } = this.#options;
    return broker.serve(pattern, {
      queue,
      schema: z.unknown(),
      handle: async (payload, context) => {
        const result: unknown = await handler(payload, context);
        return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
      },
      ...(onError === undefined ? {} : { onError }),
    });
  }
}

/** Lets TocsinErrors of message handlers through to the caller as they are. */
@Catch(TocsinError)
export class TocsinErrorFilter implements RpcExceptionFilter<TocsinError> {
  catch(error: TocsinError): Observable<never> {
    return throwError(() => error);
  }
}
