import { Body, Controller, Headers, HttpCode, Param, Post, Query, Res, UseInterceptors } from '@nestjs/common';
import type { ReplaySpec, SubscriptionView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import { OnceOnly } from '../once/once-only.js';
import { PauseSubscription } from '../subscriptions/pause-subscription.js';
import { RequestReplay } from '../subscriptions/request-replay.js';
import { etagOf, preconditionOf } from './conditions.js';
import { noQuerySchema } from './write-query.js';

/** What may be done with a subscription besides declaring it. */
@UseInterceptors(OnceOnly)
@RequireRole('editor')
@Controller('v1/subscriptions')
export class SubscriptionActionsController {
  constructor(
    private readonly pausing: PauseSubscription,
    private readonly replaying: RequestReplay,
  ) {}

  /** Sends nothing more for now; what matches waits. */
  @Post(':name/pause')
  @HttpCode(200)
  pause(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<SubscriptionView> {
    return this.#set(true, { name, ifMatch, principal, response });
  }

  /** Goes on, with what has waited; where only the latest counts, with the newest of each subject. */
  @Post(':name/resume')
  @HttpCode(200)
  resume(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<SubscriptionView> {
    return this.#set(false, { name, ifMatch, principal, response });
  }

  /** Sends again what matched between two points of the log, with the ids it had. */
  @Post(':name/replay')
  @HttpCode(202)
  replay(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @CurrentPrincipal() principal: Principal,
  ): Promise<{ name: string; replay: ReplaySpec }> {
    return this.replaying.run({ name, body, actor: principal.name });
  }

  async #set(
    paused: boolean,
    request: { name: string; ifMatch: string | undefined; principal: Principal; response: ServerResponse },
  ): Promise<SubscriptionView> {
    const { name, ifMatch, principal, response } = request;
    const precondition = preconditionOf({ ifMatch });
    const subscription = await this.pausing.run({ name, paused, actor: principal.name, precondition });
    response.setHeader('etag', etagOf(subscription.revision));
    return subscription;
  }
}
