import { Controller, UseInterceptors } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import {
  type DeleteMaintenanceResponse,
  type GetMaintenanceResponse,
  type ListMaintenanceResponse,
  type PutMaintenanceRequest,
  type PutMaintenanceResponse,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from '@tocsin/grpc-contracts';
import { CurrentPrincipal, type Principal, RequireRole, RespectsScope } from '@tocsin/platform';
import { MaintenanceWindows } from '../maintenance/maintenance-windows.js';
import { OnceOnly } from '../once/once-only.js';
import { Read, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import { atFields, atPlainFields } from './at-fields.js';
import { MAINTENANCE, MAINTENANCE_SPEC, outcomeMessage } from './messages.js';

/** Maintenance windows over gRPC: the same use cases as over HTTP. */
@RespectsScope()
@UseInterceptors(OnceOnly)
@Controller()
export class MaintenanceGrpcController {
  constructor(private readonly windows: MaintenanceWindows) {}

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'ListMaintenance')
  @RequireRole('viewer')
  list(@CurrentPrincipal() { scope }: Principal): ListMaintenanceResponse {
    return { maintenance: this.windows.all(scope).map((window) => MAINTENANCE.toMessage(window)) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'GetMaintenance')
  @RequireRole('viewer')
  async get(@Read() request: ReadRequest): Promise<GetMaintenanceResponse> {
    const window = await atPlainFields(request.name, () => this.windows.one(request));
    return { maintenance: MAINTENANCE.toMessage(window) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'PutMaintenance')
  @RequireRole('editor')
  async put(@Write() write: WriteRequest, @Payload() message: PutMaintenanceRequest): Promise<PutMaintenanceResponse> {
    const sent = { field: 'maintenance', codec: MAINTENANCE_SPEC, message: message.maintenance };
    const { outcome, window } = await atFields(write, sent, (request) => this.windows.declare(request));
    return { maintenance: MAINTENANCE.toMessage(window), outcome: outcomeMessage(outcome) };
  }

  @GrpcMethod(SUBSCRIPTION_REGISTRY_SERVICE, 'DeleteMaintenance')
  @RequireRole('editor')
  async delete(@Write() write: WriteRequest): Promise<DeleteMaintenanceResponse> {
    await atPlainFields(write.name, () => this.windows.remove(write));
    return {};
  }
}
