import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { SubscriptionView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import type { Outcome } from '../log/outcome.js';
import { OnceOnly } from '../once/once-only.js';
import { type Page, parseListQuery } from '../request/page.js';
import { DeclareSubscription } from '../subscriptions/declare-subscription.js';
import { ReadSubscriptions } from '../subscriptions/read-subscriptions.js';
import { RemoveSubscription } from '../subscriptions/remove-subscription.js';
import { RotateSecret } from '../subscriptions/rotate-secret.js';
import { etagOf, preconditionOf } from './conditions.js';
import { DRY_RUN_HEADER, noQuerySchema, type WriteQuery, writeQuerySchema } from './write-query.js';

/** Subscriptions over HTTP: reads the request, calls the use case, writes the answer. */
@UseInterceptors(OnceOnly)
@Controller('v1/subscriptions')
export class SubscriptionController {
  constructor(
    private readonly declare: DeclareSubscription,
    private readonly remove: RemoveSubscription,
    private readonly read: ReadSubscriptions,
    private readonly rotation: RotateSecret,
  ) {}

  /** A page of subscriptions in order of their names; `labels=site=fra,role=edge` selects. */
  @RequireRole('viewer')
  @Get()
  list(@Query() query: unknown): Promise<Page<SubscriptionView>> {
    return this.read.page(parseListQuery(query));
  }

  /** One subscription, redacted. */
  @RequireRole('viewer')
  @Get(':name')
  async get(
    @Param('name') name: string,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<SubscriptionView> {
    const subscription = await this.read.one(name);
    response.setHeader('etag', etagOf(subscription.revision));
    return subscription;
  }

  /** Creates (201), and then shows the signing secret, this once; or replaces (200), and the secret stays. */
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
  ): Promise<SubscriptionView> {
    const precondition = preconditionOf({ ifMatch, ifNoneMatch });
    const { outcome, subscription } = await this.declare.run({
      name,
      body,
      actor: principal.name,
      precondition,
      dryRun,
    });
    if (dryRun) return this.#dry(outcome, subscription, response);
    response.statusCode = outcome === 'created' ? 201 : 200;
    if (outcome === 'created') response.setHeader('location', `/v1/subscriptions/${name}`);
    response.setHeader('etag', etagOf(subscription.revision));
    return subscription;
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
  ): Promise<SubscriptionView> {
    const precondition = preconditionOf({ ifMatch });
    const { outcome, subscription } = await this.declare.patch({
      name,
      patch,
      actor: principal.name,
      precondition,
      dryRun,
    });
    if (dryRun) return this.#dry(outcome, subscription, response);
    response.setHeader('etag', etagOf(subscription.revision));
    return subscription;
  }

  /** Stops telling, and erases the secrets. */
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

  /** Makes a new signing secret and shows it, this once. */
  @RequireRole('editor')
  @Post(':name/rotate-secret')
  @HttpCode(200)
  async rotateSecret(
    @Param('name') name: string,
    @Query(zodQuery(noQuerySchema)) _query: object,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<SubscriptionView> {
    const precondition = preconditionOf({ ifMatch });
    const subscription = await this.rotation.run({ name, body, actor: principal.name, precondition });
    response.setHeader('etag', etagOf(subscription.revision));
    return subscription;
  }

  #dry(outcome: Outcome, subscription: SubscriptionView, response: ServerResponse): SubscriptionView {
    response.setHeader(DRY_RUN_HEADER, outcome);
    return subscription;
  }
}
