import { once } from 'node:events';
import type { Metadata, ServerWritableStream } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { parseOrThrow } from '@tocsin/contracts';
import {
  type AppendRequest,
  type AppendResponse,
  EVENT_LOG_SERVICE,
  type ReadRequest,
  type ReadResponse,
  type TailRequest,
  type TailResponse,
} from '@tocsin/grpc-contracts';
import { RequireRole } from '@tocsin/platform';
import { Observable, type Subscriber } from 'rxjs';
import { Ingest } from '../ingest/ingest.js';
import type { TailStep } from '../read/live-tail.js';
import { LogReader } from '../read/log-reader.js';
import { readMessageSchema, tailMessageSchema } from '../read/query.js';
import { TailReaders } from '../read/tail-readers.js';
import { fromMessage, fromTimestamp, toMessage } from './event-message.js';

/** Bytes of events in one answer to Read: a gRPC client takes 4 MiB by default. */
const PAGE_BYTES = 3 * 1024 * 1024;

type TailCall = ServerWritableStream<TailRequest, TailResponse>;

/** `tocsin.v1.EventLog`: the same use cases as `/v1/events`. */
@Controller()
export class EventLogController {
  constructor(
    private readonly ingest: Ingest,
    private readonly log: LogReader,
    private readonly readers: TailReaders,
  ) {}

  @GrpcMethod(EVENT_LOG_SERVICE, 'Append')
  @RequireRole('producer')
  async append(request: AppendRequest, metadata: Metadata): Promise<AppendResponse> {
    const events = request.events.map((event, index) => fromMessage(event, `/${index}`));
    const [traceparent] = metadata.get('traceparent');
    const appended = await this.ingest.append(
      { mode: 'batch', events },
      typeof traceparent === 'string' ? traceparent : undefined,
    );
    return {
      events: appended.map(({ id, position, version, repeated }) => ({ id, position, sequence: version, repeated })),
    };
  }

  @GrpcMethod(EVENT_LOG_SERVICE, 'Read')
  @RequireRole('viewer')
  async read(request: ReadRequest): Promise<ReadResponse> {
    const { backward: direction, ...wanted } = parseOrThrow(readMessageSchema, request, 'request');
    const page = await this.log.page({
      ...wanted,
      direction,
      ...(request.since ? { since: fromTimestamp(request.since, '/since') } : {}),
      ...(request.until ? { until: fromTimestamp(request.until, '/until') } : {}),
      maxBytes: PAGE_BYTES,
    });
    return { events: page.events.map(({ event }) => toMessage(event)), next: page.next, head: page.head };
  }

  @GrpcMethod(EVENT_LOG_SERVICE, 'Tail')
  @RequireRole('viewer')
  tail(request: TailRequest, _metadata: Metadata, call: TailCall): Observable<TailResponse> {
    const wanted = parseOrThrow(tailMessageSchema, request, 'request');
    return new Observable((subscriber) => {
      const gone = new AbortController();
      this.readers
        .serve(wanted, gone.signal, (steps, signal) => emit(steps, subscriber, call, signal))
        .then(
          () => subscriber.complete(),
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
