import { Body, Controller, HttpCode, Post, Query, UseInterceptors } from '@nestjs/common';
import type { ApplyReply } from '@tocsin/contracts';
import { BodyLimit, CurrentPrincipal, type Principal, RequireRole, RespectsScope, zodQuery } from '@tocsin/platform';
import { ApplyDeclarations } from '../apply/apply-declarations.js';
import { OnceOnly } from '../once/once-only.js';
import { noQuerySchema } from './write-query.js';

/** 20,000 targets and 20,000 subscriptions, the most one request may declare, with some 800 bytes each. */
const APPLY_LIMIT_BYTES = 32 * 1024 * 1024;

/** Many declarations in one request. */
@RespectsScope()
@UseInterceptors(OnceOnly)
@Controller('v1/apply')
export class ApplyController {
  constructor(private readonly declarations: ApplyDeclarations) {}

  /** Creates and updates what differs; with `dryRun` says what would. */
  @RequireRole('editor')
  @BodyLimit(APPLY_LIMIT_BYTES)
  @Post()
  @HttpCode(200)
  apply(
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @CurrentPrincipal() principal: Principal,
  ): Promise<ApplyReply> {
    return this.declarations.run({ body, actor: principal.name, scope: principal.scope });
  }
}
