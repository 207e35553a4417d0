import { Body, Controller, HttpCode, Post, Query, UseInterceptors } from '@nestjs/common';
import type { ApplyReply } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import { ApplyDeclarations } from '../apply/apply-declarations.js';
import { OnceOnly } from '../once/once-only.js';
import { noQuerySchema } from './write-query.js';

/** Many declarations in one request. */
@UseInterceptors(OnceOnly)
@Controller('v1/apply')
export class ApplyController {
  constructor(private readonly declarations: ApplyDeclarations) {}

  /** Creates and updates what differs; with `dryRun` says what would. */
  @RequireRole('editor')
  @Post()
  @HttpCode(200)
  apply(
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @CurrentPrincipal() principal: Principal,
  ): Promise<ApplyReply> {
    return this.declarations.run({ body, actor: principal.name });
  }
}
