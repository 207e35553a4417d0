import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type PauseSubscriptionResponse,
  type ReplaySubscriptionRequest,
  type ReplaySubscriptionResponse,
  type ResumeSubscriptionResponse,
  type RotateSecretRequest,
  type RotateSecretResponse,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Write, type WriteRequest } from '../request/call.js';
import { PauseSubscription } from '../subscriptions/pause-subscription.js';
import { RequestReplay } from '../subscriptions/request-replay.js';
import { RotateSecret } from '../subscriptions/rotate-secret.js';
import { atFields, atPlainFields } from './at-fields.js';
import { REPLAY, SUBSCRIPTION } from './messages.js';

/** What may be done with a subscription besides declaring it, over gRPC. */
@RespectsScope()
@RequireRole('editor')
@UseInterceptors(OnceOnly)
@Controller()
export class SubscriptionActionsGrpcController {
  constructor(
    private readonly rotation: RotateSecret,
    private readonly pausing: PauseSubscription,
    private readonly replaying: RequestReplay,
  ) {}

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'RotateSecret')
  async rotate(
    @Write() write: WriteRequest,
    @Payload() { overlap }: RotateSecretRequest,
  ): Promise<RotateSecretResponse> {
    const body = overlap === undefined ? {} : { overlap };
    const subscription = await atPlainFields(write.name, () => this.rotation.run({ ...write, body }));
    return { subscription: SUBSCRIPTION.toMessage(subscription) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PauseSubscription')
  async pause(@Write() write: WriteRequest): Promise<PauseSubscriptionResponse> {
    const subscription = await atPlainFields(write.name, () => this.pausing.run({ ...write, paused: true }));
    return { subscription: SUBSCRIPTION.toMessage(subscription) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ResumeSubscription')
  async resume(@Write() write: WriteRequest): Promise<ResumeSubscriptionResponse> {
    const subscription = await atPlainFields(write.name, () => this.pausing.run({ ...write, paused: false }));
    return { subscription: SUBSCRIPTION.toMessage(subscription) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ReplaySubscription')
  async replay(
    @Write() write: WriteRequest,
    @Payload() message: ReplaySubscriptionRequest,
  ): Promise<ReplaySubscriptionResponse> {
    const sent = { field: 'replay', codec: REPLAY, message: message.replay };
    const { replay } = await atFields(write, sent, (request) => this.replaying.run(request));
    return { replay: REPLAY.toMessage(replay) };
  }
}
