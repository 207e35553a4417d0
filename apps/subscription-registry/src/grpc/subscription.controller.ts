import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type DeleteSubscriptionResponse,
  type GetSubscriptionResponse,
  type ListSubscriptionsResponse,
  type PatchSubscriptionResponse,
  type PutSubscriptionRequest,
  type PutSubscriptionResponse,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { PageRequest } from '../request/page.js';
import { DeclareSubscription } from '../subscriptions/declare-subscription.js';
import { ReadSubscriptions } from '../subscriptions/read-subscriptions.js';
import { RemoveSubscription } from '../subscriptions/remove-subscription.js';
import { atFields, atPatch, atPlainFields, type PatchMessage } from './at-fields.js';
import { outcomeMessage, SUBSCRIPTION, SUBSCRIPTION_SPEC } from './messages.js';

/** Subscriptions over gRPC: the same use cases as over HTTP. */
@RespectsScope()
@UseInterceptors(OnceOnly)
@Controller()
export class SubscriptionGrpcController {
  constructor(
    private readonly declare: DeclareSubscription,
    private readonly remove: RemoveSubscription,
    private readonly read: ReadSubscriptions,
  ) {}

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ListSubscriptions')
  @RequireRole('viewer')
  async list(@ReadPage() request: PageRequest): Promise<ListSubscriptionsResponse> {
    const { items, next } = await this.read.page(request);
    return { subscriptions: items.map((subscription) => SUBSCRIPTION.toMessage(subscription)), next: next ?? '' };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'GetSubscription')
  @RequireRole('viewer')
  async get(@Read() request: ReadRequest): Promise<GetSubscriptionResponse> {
    const subscription = await atPlainFields(request.name, () => this.read.one(request));
    return { subscription: SUBSCRIPTION.toMessage(subscription) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PutSubscription')
  @RequireRole('editor')
  async put(
    @Write() write: WriteRequest,
    @Payload() message: PutSubscriptionRequest,
  ): Promise<PutSubscriptionResponse> {
    const sent = { field: 'subscription', codec: SUBSCRIPTION_SPEC, message: message.subscription };
    const { outcome, subscription } = await atFields(write, sent, (request) => this.declare.run(request));
    return { subscription: SUBSCRIPTION.toMessage(subscription), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PatchSubscription')
  @RequireRole('editor')
  async patch(@Write() write: WriteRequest, @Payload() message: PatchMessage): Promise<PatchSubscriptionResponse> {
    const { outcome, subscription } = await atPatch(write, message, (request) => this.declare.patch(request));
    return { subscription: SUBSCRIPTION.toMessage(subscription), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'DeleteSubscription')
  @RequireRole('editor')
  async delete(@Write() write: WriteRequest): Promise<DeleteSubscriptionResponse> {
    await atPlainFields(write.name, () => this.remove.run(write));
    return {};
  }
}
