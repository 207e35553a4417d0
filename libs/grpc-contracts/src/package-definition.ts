import { fromJSON, type PackageDefinition } from '@grpc/proto-loader';
import { FILE_DESCRIPTORS } from './gen/descriptors.js';
import { NAMESPACE } from './gen/namespace.js';

/** The proto package of Tocsin's API. */
export const GRPC_PACKAGE = 'tocsin.v1';

/** Name of the service of the event log within {@link GRPC_PACKAGE}. */
export const EVENT_LOG_SERVICE = 'EventLog';

/** Name of the service of the registry within {@link GRPC_PACKAGE}. */
export const SUBSCRIPTION_REGISTRY_SERVICE = 'SubscriptionRegistry';

/**
 * Every service and message of the API, as grpc-js takes it, without a proto file at hand. Positions are numbers: they stay below 2^53.
 */
export function packageDefinition(): PackageDefinition {
  return fromJSON(NAMESPACE, { longs: Number, enums: String, defaults: true });
}

/** The files of the API as the compiler describes them, for reflection. */
export function fileDescriptors(): Buffer[] {
  return FILE_DESCRIPTORS.map((base64) => Buffer.from(base64, 'base64'));
}
