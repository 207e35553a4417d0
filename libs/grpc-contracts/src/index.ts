export type * from './gen/tocsin/v1/event_log.js';
export type * from './gen/tocsin/v1/destination.js';
export type * from './gen/tocsin/v1/key.js';
export type * from './gen/tocsin/v1/maintenance.js';
export type * from './gen/tocsin/v1/subscription.js';
export type * from './gen/tocsin/v1/subscription_registry.js';
export type * from './gen/tocsin/v1/target.js';
export type { Timestamp } from './gen/google/protobuf/timestamp.js';
export { MessageCodec } from './codec/message-codec.js';
export { type Differences, type Shape, shapeOf } from './codec/message-shape.js';
export { type MessageField, messageFields, typeNames } from './codec/message-type.js';
export { type Struct, structToJson } from './codec/struct.js';
export {
  EVENT_LOG_SERVICE,
  GRPC_PACKAGE,
  packageDefinition,
  SUBSCRIPTION_REGISTRY_SERVICE,
} from './package-definition.js';
export { type GrpcAddress, GrpcEndpoint, type HybridApplication, serveGrpc } from './grpc-endpoint.js';
