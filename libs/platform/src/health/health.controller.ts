import { Controller, Get, Header, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Public } from '../access/decorators.js';
import { type Readiness, ReadinessRegistry } from './readiness-registry.js';

/** Is the process alive, can it do its work. */
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
}
