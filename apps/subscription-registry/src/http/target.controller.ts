import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { TargetView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import type { Outcome } from '../log/outcome.js';
import { OnceOnly } from '../once/once-only.js';
import { type Page, parseListQuery } from '../request/page.js';
import { DeclareTarget } from '../targets/declare-target.js';
import { ReadTargets } from '../targets/read-targets.js';
import { RemoveTarget } from '../targets/remove-target.js';
import { etagOf, preconditionOf } from './conditions.js';
import { DRY_RUN_HEADER, type WriteQuery, writeQuerySchema } from './write-query.js';

/** Targets over HTTP: reads the request, calls the use case, writes the answer. */
@UseInterceptors(OnceOnly)
@Controller('v1/targets')
export class TargetController {
  constructor(
    private readonly declare: DeclareTarget,
    private readonly remove: RemoveTarget,
    private readonly read: ReadTargets,
  ) {}

  /** A page of targets in order of their names; `labels=site=fra,role=edge` selects. */
  @RequireRole('viewer')
  @Get()
  list(@Query() query: unknown): Promise<Page<TargetView>> {
    return this.read.page(parseListQuery(query));
  }

  /** One target with its state. */
  @RequireRole('viewer')
  @Get(':name')
  async get(@Param('name') name: string, @Res({ passthrough: true }) response: ServerResponse): Promise<TargetView> {
    const target = await this.read.one(name);
    response.setHeader('etag', etagOf(target.revision));
    return target;
  }

  /** Creates (201) or replaces (200). */
  @RequireRole('editor')
  @Put(':name')
  async put(
    @Param('name') name: string,
    @Query(zodQuery(writeQuerySchema)) { dryRun }: WriteQuery,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<TargetView> {
    const precondition = preconditionOf({ ifMatch, ifNoneMatch });
    const { outcome, target } = await this.declare.run({ name, body, actor: principal.name, precondition, dryRun });
    if (dryRun) return this.#dry(outcome, target, response);
    response.statusCode = outcome === 'created' ? 201 : 200;
    if (outcome === 'created') response.setHeader('location', `/v1/targets/${name}`);
    response.setHeader('etag', etagOf(target.revision));
    return target;
  }

  /** Changes some fields, by JSON Merge Patch. */
  @RequireRole('editor')
  @Patch(':name')
  async patch(
    @Param('name') name: string,
    @Query(zodQuery(writeQuerySchema)) { dryRun }: WriteQuery,
    @Body() patch: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<TargetView> {
    const precondition = preconditionOf({ ifMatch });
    const { outcome, target } = await this.declare.patch({
      name,
      patch,
      actor: principal.name,
      precondition,
      dryRun,
    });
    if (dryRun) return this.#dry(outcome, target, response);
    response.setHeader('etag', etagOf(target.revision));
    return target;
  }

  /** Stops watching. */
  @RequireRole('editor')
  @Delete(':name')
  @HttpCode(204)
  async delete(
    @Param('name') name: string,
    @Query(zodQuery(writeQuerySchema)) { dryRun }: WriteQuery,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
  ): Promise<void> {
    await this.remove.run({ name, actor: principal.name, precondition: preconditionOf({ ifMatch }), dryRun });
  }

  #dry(outcome: Outcome, target: TargetView, response: ServerResponse): TargetView {
    response.setHeader(DRY_RUN_HEADER, outcome);
    return target;
  }
}
