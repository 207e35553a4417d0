export type * from './gen/tocsin/v1/event_log.js';
export type { Timestamp } from './gen/google/protobuf/timestamp.js';
export { EVENT_LOG_SERVICE, GRPC_PACKAGE, packageDefinition } from './package-definition.js';
export { type GrpcAddress, GrpcEndpoint, type HybridApplication, serveGrpc } from './grpc-endpoint.js';
