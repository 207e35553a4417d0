import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { HEARTBEAT_MAX_BYTES, heartbeatSchema, parseOrThrow } from '@tocsin/contracts';
import { AnyContentType, BodyLimit, parseJsonBody, Public } from '@tocsin/platform';
import { HealthProbeService } from '../health-probe-service.js';

/** A request as the platform leaves it: its bytes, where it has a body. */
interface RequestWithBody extends IncomingMessage {
  rawBody?: Buffer;
}

/** Takes heartbeats over HTTP. The token in the path is all that is needed. */
@Public()
@Controller('v1/heartbeats')
export class HeartbeatController {
  constructor(private readonly service: HealthProbeService) {}

  /** 204 once the observer that watches the target has it. `curl -X POST` is enough; `curl -d '{…}'` too, whatever type it gives. */
  @Post(':token')
  @HttpCode(204)
  @AnyContentType()
  @BodyLimit(HEARTBEAT_MAX_BYTES)
  async beat(@Param('token') token: string, @Req() request: RequestWithBody): Promise<void> {
    const body = request.rawBody === undefined ? {} : parseJsonBody(request.rawBody);
    await this.service.heartbeat(token, parseOrThrow(heartbeatSchema, body, 'heartbeat'));
  }
}
