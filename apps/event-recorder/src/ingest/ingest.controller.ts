import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { JsonValue } from '@tocsin/domain';
import {
  AnyContentType,
  CurrentPrincipal,
  parseJsonBody,
  type Principal,
  RequireRole,
  RespectsScope,
} from '@tocsin/platform';
import { BodyBudget } from './body-budget.js';
import { decodeHttp } from './http-cloudevents.js';
import { Ingest } from './ingest.js';

/** A request with the body as the platform leaves it: the bytes, and the value where the content type says JSON. */
interface RequestWithBody extends IncomingMessage {
  rawBody?: Buffer;
  body?: unknown;
}

/** Takes CloudEvents of other producers. */
@RequireRole('producer')
@RespectsScope()
@Controller('v1/events')
export class IngestController {
  constructor(private readonly ingest: Ingest) {}

  /** 201 once everything is committed; 200 where all of it had been recorded before. */
  @Post()
  @UseGuards(BodyBudget)
  @AnyContentType()
  async append(
    @Req() request: RequestWithBody,
    @CurrentPrincipal() { scope }: Principal,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const { rawBody } = request;
    const incoming = decodeHttp({
      headers: request.headers,
      headersDistinct: request.headersDistinct,
      hasBody: rawBody !== undefined,
      json: () =>
        request.body === undefined ? parseJsonBody(rawBody ?? Buffer.alloc(0)) : (request.body as JsonValue),
    });
    const traceparent = request.headers['traceparent'];
    const appended = await this.ingest.append(incoming, {
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      scope,
    });
    const events = appended.map(({ id, position }) => ({ id, position }));
    const [only] = incoming.mode === 'batch' ? [] : events;
    response.writeHead(appended.every(({ repeated }) => repeated) ? 200 : 201, {
      'content-type': 'application/json; charset=utf-8',
      ...(only === undefined ? {} : { location: `/v1/events/${only.position}` }),
    });
    response.end(JSON.stringify({ events }));
  }
}
