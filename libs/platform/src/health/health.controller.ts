import { Controller, Get, Header, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Public } from '../access/decorators.js';
import { METRICS_CONTENT_TYPE, metricsText } from '../telemetry/metrics.js';
import { type Readiness, ReadinessRegistry } from './readiness-registry.js';

/** Is the process alive, can it do its work, and how does it go. */
@Public()
@Controller()
export class HealthController {
  readonly #readiness: ReadinessRegistry;

  constructor(readiness: ReadinessRegistry) {
    this.#readiness = readiness;
  }

  @Get('healthz')
  healthz(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Header('cache-control', 'no-store')
  async readyz(@Res({ passthrough: true }) response: Response): Promise<Readiness> {
    const readiness = await this.#readiness.check();
    response.status(readiness.status === 'ok' ? 200 : 503);
    return readiness;
  }

  @Get('metrics')
  @Header('content-type', METRICS_CONTENT_TYPE)
  @Header('cache-control', 'no-store')
  metrics(): Promise<string> {
    return metricsText();
  }
}
