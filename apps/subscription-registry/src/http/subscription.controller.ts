import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Put, UseInterceptors } from '@nestjs/common';
import type { SubscriptionView } from '@tocsin/contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { Page, PageRequest } from '../request/page.js';
import { DeclareSubscription } from '../subscriptions/declare-subscription.js';
import { ReadSubscriptions } from '../subscriptions/read-subscriptions.js';
import { RemoveSubscription } from '../subscriptions/remove-subscription.js';
import { RotateSecret } from '../subscriptions/rotate-secret.js';
import { Answer, AnswerWriter } from './answer.js';

/** Subscriptions over HTTP: reads the request, calls the use case, writes the answer. */
@RespectsScope()
@UseInterceptors(OnceOnly, AnswerWriter)
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
  list(@ReadPage() request: PageRequest): Promise<Page<SubscriptionView>> {
    return this.read.page(request);
  }

  /** One subscription, redacted. */
  @RequireRole('viewer')
  @Get(':name')
  async get(@Read() request: ReadRequest): Promise<Answer<SubscriptionView>> {
    return new Answer(await this.read.one(request));
  }

  /** Creates (201), and then shows the signing secret, this once; or replaces (200), and the secret stays. */
  @RequireRole('editor')
  @Put(':name')
  async put(@Write() write: WriteRequest, @Body() body: unknown): Promise<Answer<SubscriptionView>> {
    const { outcome, subscription } = await this.declare.run({ ...write, body });
    return new Answer(subscription, { ...write, outcome });
  }

  /** Changes some fields, by JSON Merge Patch. */
  @RequireRole('editor')
  @Patch(':name')
  async patch(@Write() write: WriteRequest, @Body() patch: unknown): Promise<Answer<SubscriptionView>> {
    const { outcome, subscription } = await this.declare.patch({ ...write, patch });
    return new Answer(subscription, { ...write, outcome });
  }

  /** Stops telling, and erases the secrets. */
  @RequireRole('editor')
  @Delete(':name')
  @HttpCode(204)
  async delete(@Write() write: WriteRequest): Promise<void> {
    await this.remove.run(write);
  }

  /** Makes a new signing secret and shows it, this once. */
  @RequireRole('editor')
  @Post(':name/rotate-secret')
  @HttpCode(200)
  async rotateSecret(
    @Write({ dryRun: false }) write: WriteRequest,
    @Body() body: unknown,
  ): Promise<Answer<SubscriptionView>> {
    return new Answer(await this.rotation.run({ ...write, body }));
  }
}
