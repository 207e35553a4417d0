import { Body, Controller, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { PreviewReply, TestReply } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, RespectsScope, zodQuery } from '@tocsin/platform';
import { Write, type WriteRequest } from '../request/call.js';
import { PreviewSubscription } from '../subscriptions/preview-subscription.js';
import { TestSubscription } from '../subscriptions/test-subscription.js';
import { noQuerySchema } from './write-query.js';

/** Trying a subscription out: what it would have been told, and whether its receiver takes a test. */
@Controller('v1/subscriptions')
export class SubscriptionTrialsController {
  constructor(
    private readonly previewing: PreviewSubscription,
    private readonly testing: TestSubscription,
  ) {}

  /**
   * Which of the newest events match and why the others do not, and the requests that the newest would make. Sends nothing.
   * It shows events of the whole log, so it is not for keys with a scope.
   */
  @RequireRole('viewer')
  @Post(':name/preview')
  @HttpCode(200)
  preview(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @CurrentPrincipal() principal: Principal,
  ): Promise<PreviewReply> {
    return this.previewing.run({ name, body, actor: principal.name });
  }

  /** Sends one marked event, as any event is sent, and shows how it was answered. */
  @RequireRole('editor')
  @RespectsScope()
  @Post(':name/test')
  @HttpCode(200)
  test(@Write({ dryRun: false }) write: WriteRequest): Promise<TestReply> {
    return this.testing.run(write);
  }
}
