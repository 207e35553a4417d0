import { loadFileDescriptorSetFromBuffer, type PackageDefinition } from '@grpc/proto-loader';
import { FILE_DESCRIPTOR_SET } from './gen/descriptors.js';

/** The proto package of Tocsin's API. */
export const GRPC_PACKAGE = 'tocsin.v1';

/** Name of the service of the event log within {@link GRPC_PACKAGE}. */
export const EVENT_LOG_SERVICE = 'EventLog';

/**
 * Every service and message of the API, as grpc-js takes it, without a proto file at hand. Positions are numbers: they stay below 2^53.
 */
export function packageDefinition(): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(Buffer.from(FILE_DESCRIPTOR_SET, 'base64'), {
    keepCase: false,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: false,
  });
}
