import { Controller, Get, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import { parseOrThrow } from '@tocsin/contracts';
import { type CloudEvent, eventLabels, labelsContain, toCloudEvent, TocsinError } from '@tocsin/domain';
import {
  CurrentPrincipal,
  KeyWatch,
  type Principal,
  RequireRole,
  RespectsScope,
  type WhileAllowed,
  zodQuery,
} from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import { type EventStreamOptions, writeEventStream } from './event-stream.js';
import { LogReader } from './log-reader.js';
import { lastEventIdSchema, type ListQuery, listQuerySchema, type StreamQuery, streamQuerySchema } from './query.js';
import { TailReaders } from './tail-readers.js';

/** Bytes of JSON in one page over HTTP; `next` leads on, so a page of large events is only shorter. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** Injects the {@link EventStreamOptions} of the streams. */
export const EVENT_STREAM_OPTIONS = Symbol('options of event streams');

/** The log over HTTP, on every replica. */
@RequireRole('viewer')
@RespectsScope()
@Controller('v1/events')
export class ReadController {
  constructor(
    private readonly log: LogReader,
    private readonly readers: TailReaders,
    @Inject(EVENT_STREAM_OPTIONS) private readonly streaming: EventStreamOptions,
  ) {}

  /**
   * A page in order of position. `next` is always a position to pass as `after`, at the head the one to poll with; newest first, it is the
   * one to pass as `before`.
   */
  @Get()
  async list(
    @Query(zodQuery(listQuerySchema)) query: ListQuery,
    @CurrentPrincipal() { scope: labels }: Principal,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const { type: types, order, ...bounds } = query;
    const direction = order === 'desc' ? 'backward' : 'forward';
    const page = await this.log.page({ ...bounds, types, labels, direction, maxBytes: PAGE_BYTES });
    const events = page.events.map(({ json }) => json).join(',');
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    response.end(`{"events":[${events}],"next":${page.next}}`);
  }

  /** Server-Sent Events from `Last-Event-ID`, else `after`, else from now on; they end when the key stops being good. */
  @Get('stream')
  async stream(
    @Query(zodQuery(streamQuerySchema)) query: StreamQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    @CurrentPrincipal() { scope: labels }: Principal,
    @KeyWatch() whileAllowed: WhileAllowed,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const resumed =
      lastEventId === undefined || lastEventId === ''
        ? undefined
        : parseOrThrow(lastEventIdSchema, lastEventId, 'Last-Event-ID');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const wanted = { after: resumed ?? query.after, types: query.type, subject: query.subject, labels };
    await this.readers.serve(wanted, whileAllowed(gone.signal), (steps, signal) =>
      writeEventStream(response, steps, { ...this.streaming, signal }),
    );
  }

  /** One event, by position (digits) or by id. */
  @Get(':key')
  async get(@Param('key') key: string, @CurrentPrincipal() { scope = {} }: Principal): Promise<CloudEvent> {
    const event = await this.log.get(key);
    if (event === undefined || !labelsContain(eventLabels(event), scope))
      throw new TocsinError('TCN_NOT_FOUND', `there is no event ${key}`);
    return toCloudEvent(event);
  }
}
