import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { type GrpcOptions, Transport } from '@nestjs/microservices';
import { HealthImplementation, type ServingStatus } from 'grpc-health-check';
import { EVENT_LOG_SERVICE, fileDescriptors, GRPC_PACKAGE, packageDefinition } from './package-definition.js';

/** Largest message that is taken, in bytes: a batch of events as over HTTP, with room for its encoding. */
const MAX_RECEIVE_BYTES = 1024 * 1024;

/** A connection without calls is asked for a sign of life this often, in milliseconds; load balancers forget idle ones after a minute. */
const KEEPALIVE_MS = 30_000;

/** Where gRPC is served. */
export interface GrpcTransportOptions {
  host: string;
  port: number;
  /** Fully named services that this process serves. Default: the event log. */
  services?: readonly string[];
}

/**
 * The Nest transport that serves the gRPC API with reflection and health (grpc.health.v1), for `app.connectMicroservice`. Calls are
 * authorised by the application's guard: metadata `authorization: Bearer <key>`.
 */
export function grpcTransport(options: GrpcTransportOptions): GrpcOptions {
  const services = options.services ?? [`${GRPC_PACKAGE}.${EVENT_LOG_SERVICE}`];
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    transport: Transport.GRPC,
    options: {
      url: `${host}:${options.port}`,
      package: GRPC_PACKAGE,
      packageDefinition: packageDefinition(),
      maxReceiveMessageLength: MAX_RECEIVE_BYTES,
      keepalive: { keepaliveTimeMs: KEEPALIVE_MS },
      onLoadPackageDefinition: (_definition: unknown, server: Server) => {
        reflection().addToServer(server);
        const serving = ['', ...services].map((name): [string, ServingStatus] => [name, 'SERVING']);
        new HealthImplementation(Object.fromEntries(serving)).addToServer(server);
      },
    },
  };
}

/** The service looks at nothing but the descriptors in a package definition. */
function reflection(): ReflectionService {
  const described = { [GRPC_PACKAGE]: { fileDescriptorProtos: fileDescriptors() } };
  return new ReflectionService(described as unknown as ConstructorParameters<typeof ReflectionService>[0]);
}
