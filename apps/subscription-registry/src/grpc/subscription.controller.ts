import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type DeleteSubscriptionResponse,
  type GetSubscriptionResponse,
  type ListSubscriptionsResponse,
  type PatchSubscriptionResponse,
  type PutSubscriptionRequest,
  type PutSubscriptionResponse,
  type Struct,
  structToJson,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { PageRequest } from '../request/page.js';
import { DeclareSubscription } from '../subscriptions/declare-subscription.js';
import { ReadSubscriptions } from '../subscriptions/read-subscriptions.js';
import { RemoveSubscription } from '../subscriptions/remove-subscription.js';
import { atFields, atPlainFields } from './at-fields.js';
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
    const body = SUBSCRIPTION_SPEC.toBody(message.subscription);
    const place = { field: 'subscription', codec: SUBSCRIPTION_SPEC, body };
    const { outcome, subscription } = await atFields(write.name, place, () => this.declare.run({ ...write, body }));
    return { subscription: SUBSCRIPTION.toMessage(subscription), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PatchSubscription')
  @RequireRole('editor')
  async patch(
    @Write() write: WriteRequest,
    @Payload() message: { patch: Struct | null },
  ): Promise<PatchSubscriptionResponse> {
    const patch = structToJson(message.patch);
    const patched = () => this.declare.patch({ ...write, patch });
    const { outcome, subscription } = await atPlainFields(write.name, patched, 'patch');
    return { subscription: SUBSCRIPTION.toMessage(subscription), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'DeleteSubscription')
  @RequireRole('editor')
  async delete(@Write() write: WriteRequest): Promise<DeleteSubscriptionResponse> {
    await atPlainFields(write.name, () => this.remove.run(write));
    return {};
  }
}
