import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Param,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { MaintenanceView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import { etagOf, preconditionOf } from '../http/conditions.js';
import { noQuerySchema } from '../http/write-query.js';
import { OnceOnly } from '../once/once-only.js';
import { MaintenanceWindows } from './maintenance-windows.js';

/** Maintenance windows over HTTP. */
@UseInterceptors(OnceOnly)
@Controller('v1/maintenance')
export class MaintenanceController {
  constructor(private readonly windows: MaintenanceWindows) {}

  /** All windows in order of their names: they are few. */
  @RequireRole('viewer')
  @Get()
  list(@Query(zodQuery(noQuerySchema)) _query: object): { items: MaintenanceView[] } {
    return { items: this.windows.all() };
  }

  @RequireRole('viewer')
  @Get(':name')
  async get(
    @Param('name') name: string,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<MaintenanceView> {
    const window = await this.windows.one(name);
    response.setHeader('etag', etagOf(window.revision));
    return window;
  }

  /** Creates (201) or replaces (200). */
  @RequireRole('editor')
  @Put(':name')
  async put(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<MaintenanceView> {
    const precondition = preconditionOf({ ifMatch, ifNoneMatch });
    const { outcome, window } = await this.windows.declare({ name, body, actor: principal.name, precondition });
    response.statusCode = outcome === 'created' ? 201 : 200;
    if (outcome === 'created') response.setHeader('location', `/v1/maintenance/${name}`);
    response.setHeader('etag', etagOf(window.revision));
    return window;
  }

  /** The window ends at once, where it lasts. */
  @RequireRole('editor')
  @Delete(':name')
  @HttpCode(204)
  async delete(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
  ): Promise<void> {
    await this.windows.remove({ name, actor: principal.name, precondition: preconditionOf({ ifMatch }) });
  }
}
