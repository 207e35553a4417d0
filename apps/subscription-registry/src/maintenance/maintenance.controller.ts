import { Body, Controller, Delete, Get, HttpCode, Put, Query, UseInterceptors } from '@nestjs/common';
import type { MaintenanceView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, RespectsScope, zodQuery } from '@tocsin/platform';
import { Answer, AnswerWriter } from '../http/answer.js';
import { noQuerySchema } from '../http/write-query.js';
import { OnceOnly } from '../once/once-only.js';
import { Read, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import { MaintenanceWindows } from './maintenance-windows.js';

/** Maintenance windows over HTTP. */
@RespectsScope()
@UseInterceptors(OnceOnly, AnswerWriter)
@Controller('v1/maintenance')
export class MaintenanceController {
  constructor(private readonly windows: MaintenanceWindows) {}

  /** All windows in order of their names: they are few. */
  @RequireRole('viewer')
  @Get()
  list(
    @Query(zodQuery(noQuerySchema)) _query: object,
    @CurrentPrincipal() { scope }: Principal,
  ): { items: MaintenanceView[] } {
    return { items: this.windows.all(scope) };
  }

  @RequireRole('viewer')
  @Get(':name')
  async get(@Read() request: ReadRequest): Promise<Answer<MaintenanceView>> {
    return new Answer(await this.windows.one(request));
  }

  /** Creates (201) or replaces (200). */
  @RequireRole('editor')
  @Put(':name')
  async put(@Write() write: WriteRequest, @Body() body: unknown): Promise<Answer<MaintenanceView>> {
    const { outcome, window } = await this.windows.declare({ ...write, body });
    return new Answer(window, { ...write, outcome });
  }

  /** The window ends at once, where it lasts. */
  @RequireRole('editor')
  @Delete(':name')
  @HttpCode(204)
  async delete(@Write() write: WriteRequest): Promise<void> {
    await this.windows.remove(write);
  }
}
