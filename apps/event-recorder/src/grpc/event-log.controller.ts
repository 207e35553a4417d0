import { once } from 'node:events';
import type { Metadata, ServerWritableStream } from '@grpc/grpc-js';
import { Controller, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { Ctx, GrpcMethod, Payload } from '@nestjs/microservices';
import { parseOrThrow } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import {
  type AppendRequest,
  type AppendResponse,
  EVENT_LOG_SERVICE,
  type ReadRequest,
  type ReadResponse,
  type TailRequest,
  type TailResponse,
} from '@tocsin/grpc-contracts';
import {
  CurrentPrincipal,
  KeyWatch,
  type Principal,
  RequireRole,
  RespectsScope,
  type WhileAllowed,
  workSlices,
} from '@tocsin/platform';
import { Observable, type Subscriber } from 'rxjs';
import { Ingest } from '../ingest/ingest.js';
import type { TailStep } from '../read/live-tail.js';
import { LogReader } from '../read/log-reader.js';
import { readMessageSchema, tailMessageSchema } from '../read/query.js';
import { TailReaders } from '../read/tail-readers.js';
import { fromMessage, fromTimestamp, toMessage } from './event-message.js';

/** Bytes of events in one answer to Read: a gRPC client takes 4 MiB by default. */
const PAGE_BYTES = 3 * 1024 * 1024;

/** Says who followed the log with a key that is not good any more. */
const KEY_ENDED = 'this API key is not good for this any more';

type TailCall = ServerWritableStream<TailRequest, TailResponse>;

/** Parameter: the call itself. */
const Call = createParamDecorator((_data: unknown, context: ExecutionContext): TailCall => context.getArgByIndex(2));

/** `tocsin.v1.EventLog`: the same use cases as `/v1/events`. */
@RespectsScope()
@Controller()
export class EventLogController {
  constructor(
    private readonly ingest: Ingest,
    private readonly log: LogReader,
    private readonly readers: TailReaders,
  ) {}

  @GrpcMethod(EVENT_LOG_SERVICE, 'Append')
  @RequireRole('producer')
  async append(
    @Payload() request: AppendRequest,
    @Ctx() metadata: Metadata,
    @CurrentPrincipal() { scope }: Principal,
  ): Promise<AppendResponse> {
    await workSlices.next();
    const events = request.events.map((event, index) => fromMessage(event, `/${index}`));
    const [traceparent] = metadata.get('traceparent');
    const appended = await this.ingest.append(
      { mode: 'batch', events },
      { traceparent: typeof traceparent === 'string' ? traceparent : undefined, scope },
    );
    return {
      events: appended.map(({ id, position, version, repeated }) => ({ id, position, sequence: version, repeated })),
    };
  }

  @GrpcMethod(EVENT_LOG_SERVICE, 'Read')
  @RequireRole('viewer')
  async read(@Payload() request: ReadRequest, @CurrentPrincipal() { scope: labels }: Principal): Promise<ReadResponse> {
    const { backward: direction, ...wanted } = parseOrThrow(readMessageSchema, request, 'request');
    const page = await this.log.page({
      ...wanted,
      ...{ labels, direction },
      ...(request.since ? { since: fromTimestamp(request.since, '/since') } : {}),
      ...(request.until ? { until: fromTimestamp(request.until, '/until') } : {}),
      maxBytes: PAGE_BYTES,
    });
    return { events: page.events.map(({ event }) => toMessage(event)), next: page.next, head: page.head };
  }

  @GrpcMethod(EVENT_LOG_SERVICE, 'Tail')
  @RequireRole('viewer')
  tail(
    @Payload() request: TailRequest,
    @Call() call: TailCall,
    @CurrentPrincipal() { scope: labels }: Principal,
    @KeyWatch() whileAllowed: WhileAllowed,
  ): Observable<TailResponse> {
    const wanted = { ...parseOrThrow(tailMessageSchema, request, 'request'), labels };
    return new Observable((subscriber) => {
      const gone = new AbortController();
      const allowed = whileAllowed(gone.signal);
      this.readers
        .serve(wanted, allowed, (steps, signal) => emit(steps, subscriber, call, signal))
        .then(
          () => {
            if (allowed.aborted && !gone.signal.aborted)
              subscriber.error(new TocsinError('TCN_UNAUTHENTICATED', KEY_ENDED));
            else subscriber.complete();
          },
          (error: unknown) => subscriber.error(error),
        );
      return () => gone.abort();
    });
  }
}

/** Sends steps on, never ahead of what the connection takes: what is emitted while it is full would be queued without bound. */
async function emit(
  steps: AsyncIterable<TailStep>,
  subscriber: Subscriber<TailResponse>,
  call: TailCall,
  signal: AbortSignal,
): Promise<void> {
  for await (const step of steps) {
    for (const { event } of step.events) {
      if (signal.aborted) return;
      subscriber.next({ event: toMessage(event), position: event.position });
      if (call.writableNeedDrain) await once(call, 'drain', { signal }).catch(() => undefined);
    }
    if (step.events.length === 0) subscriber.next({ event: undefined, position: step.position });
  }
}
