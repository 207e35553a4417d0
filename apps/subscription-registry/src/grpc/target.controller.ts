import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type DeleteTargetResponse,
  type GetTargetResponse,
  type ListTargetsResponse,
  type PatchTargetResponse,
  type PutTargetRequest,
  type PutTargetResponse,
  type RotateTokenRequest,
  type RotateTokenResponse,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { PageRequest } from '../request/page.js';
import { DeclareTarget } from '../targets/declare-target.js';
import { ReadTargets } from '../targets/read-targets.js';
import { RemoveTarget } from '../targets/remove-target.js';
import { RotateToken } from '../targets/rotate-token.js';
import { atFields, atPatch, atPlainFields, type PatchMessage } from './at-fields.js';
import { outcomeMessage, TARGET, TARGET_SPEC } from './messages.js';

/** Targets over gRPC: the same use cases as over HTTP. */
@RespectsScope()
@UseInterceptors(OnceOnly)
@Controller()
export class TargetGrpcController {
  constructor(
    private readonly declare: DeclareTarget,
    private readonly remove: RemoveTarget,
    private readonly read: ReadTargets,
    private readonly rotating: RotateToken,
  ) {}

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ListTargets')
  @RequireRole('viewer')
  async list(@ReadPage() request: PageRequest): Promise<ListTargetsResponse> {
    const { items, next } = await this.read.page(request);
    return { targets: items.map((target) => TARGET.toMessage(target)), next: next ?? '' };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'GetTarget')
  @RequireRole('viewer')
  async get(@Read() request: ReadRequest): Promise<GetTargetResponse> {
    const target = await atPlainFields(request.name, () => this.read.one(request));
    return { target: TARGET.toMessage(target) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PutTarget')
  @RequireRole('editor')
  async put(@Write() write: WriteRequest, @Payload() message: PutTargetRequest): Promise<PutTargetResponse> {
    const sent = { field: 'target', codec: TARGET_SPEC, message: message.target };
    const { outcome, target } = await atFields(write, sent, (request) => this.declare.run(request));
    return { target: TARGET.toMessage(target), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PatchTarget')
  @RequireRole('editor')
  async patch(@Write() write: WriteRequest, @Payload() message: PatchMessage): Promise<PatchTargetResponse> {
    const { outcome, target } = await atPatch(write, message, (request) => this.declare.patch(request));
    return { target: TARGET.toMessage(target), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'DeleteTarget')
  @RequireRole('editor')
  async delete(@Write() write: WriteRequest): Promise<DeleteTargetResponse> {
    await atPlainFields(write.name, () => this.remove.run(write));
    return {};
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'RotateToken')
  @RequireRole('editor')
  async rotateToken(
    @Write() write: WriteRequest,
    @Payload() { overlap }: RotateTokenRequest,
  ): Promise<RotateTokenResponse> {
    const body = overlap === undefined ? {} : { overlap };
    const target = await atPlainFields(write.name, () => this.rotating.run({ ...write, body }));
    return { target: TARGET.toMessage(target) };
  }
}
