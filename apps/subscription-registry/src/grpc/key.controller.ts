import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type DeleteKeyResponse,
  type GetKeyResponse,
  type ListKeysResponse,
  type PutKeyRequest,
  type PutKeyResponse,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { RequireRole } from '@tocsin/platform';
import { DeclareKey } from '../access/declare-key.js';
import { ReadKeys } from '../access/read-keys.js';
import { RemoveKey } from '../access/remove-key.js';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { PageRequest } from '../request/page.js';
import { atFields, atPlainFields } from './at-fields.js';
import { KEY, KEY_SPEC, outcomeMessage } from './messages.js';

/** API keys over gRPC, for admins alone: the same use cases as over HTTP. */
@RequireRole('admin')
@UseInterceptors(OnceOnly)
@Controller()
export class KeyGrpcController {
  constructor(
    private readonly declare: DeclareKey,
    private readonly remove: RemoveKey,
    private readonly read: ReadKeys,
  ) {}

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ListKeys')
  async list(@ReadPage() request: PageRequest): Promise<ListKeysResponse> {
    const { items, next } = await this.read.page(request);
    return { keys: items.map((key) => KEY.toMessage(key)), next: next ?? '' };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'GetKey')
  async get(@Read() { name }: ReadRequest): Promise<GetKeyResponse> {
    return { key: KEY.toMessage(await atPlainFields(name, () => this.read.one(name))) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PutKey')
  async put(@Write() write: WriteRequest, @Payload() message: PutKeyRequest): Promise<PutKeyResponse> {
    const sent = { field: 'key', codec: KEY_SPEC, message: message.key };
    const { outcome, key } = await atFields(write, sent, (request) => this.declare.run(request));
    return { key: KEY.toMessage(key), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'DeleteKey')
  async delete(@Write() write: WriteRequest): Promise<DeleteKeyResponse> {
    await atPlainFields(write.name, () => this.remove.run(write));
    return {};
  }
}
