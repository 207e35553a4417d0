import {
  type ConnectionInjector,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { type CustomStrategy, ServerGrpc } from '@nestjs/microservices';
import { listenError } from '@tocsin/domain';
import { HealthImplementation, type ServingStatus } from 'grpc-health-check';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { catchError, isObservable, throwError } from 'rxjs';
import { fileDescriptors, GRPC_PACKAGE, packageDefinition } from './package-definition.js';
import { type CallFailure, statusDetails } from './status-details.js';

/** Largest message that is taken, in bytes: a batch of events as over HTTP, with room for its encoding. */
const MAX_RECEIVE_BYTES = 1024 * 1024;

/** A connection without calls is asked for a sign of life this often, in milliseconds; load balancers forget idle ones after a minute. */
const KEEPALIVE_MS = 30_000;

/** Calls under way at shutdown are given this long, in milliseconds, as requests over HTTP are. */
const DRAIN_MS = 5_000;

/** Where gRPC is served. */
export interface GrpcAddress {
  host: string;
  /** 0 for any free one. */
  port: number;
}

/** As Nest finds it in a package. */
interface NamedService {
  name: string;
  service: ServiceClientConstructor;
}

/** What an application must offer to have gRPC beside its HTTP: Nest's own does. */
export interface HybridApplication {
  connectMicroservice(options: CustomStrategy, hybrid: { inheritAppConfig: boolean }): unknown;
}

/**
 * Serves the gRPC API beside the HTTP API of `app`, for the `configure` hook of its start. Served is every service of the API that has a
 * controller in the application: one in a process of its own, several in one that holds several. Reflection and health
 * (grpc.health.v1) name the same ones. Calls are authorised by the application's guard: metadata `authorization: Bearer <key>`.
 * @throws TocsinError `TCN_PORT_IN_USE` naming host and port; `TCN_CONFIG` if the address cannot be listened on
 */
export async function serveGrpc(app: HybridApplication, address: GrpcAddress): Promise<GrpcEndpoint> {
  const endpoint = await GrpcEndpoint.listen(address);
  app.connectMicroservice({ strategy: endpoint }, { inheritAppConfig: true });
  return endpoint;
}

/**
 * Nest's gRPC transport on a socket of our own. It listens from the first moment, so that a taken port is noticed before anything has
 * started; who connects before the application has started waits for it.
 */
export class GrpcEndpoint extends ServerGrpc {
  readonly #listener: NetServer;
  readonly #server = new Server({
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
  });
  readonly #waiting: Socket[] = [];
  #injector: ConnectionInjector | undefined;
  #closed: Promise<void> | undefined;

  private constructor(
    listener: NetServer,
    /** Where it listens, the port it was given included. */
    readonly address: string,
  ) {
    super({ package: GRPC_PACKAGE });
    this.#listener = listener;
    listener.on('connection', (socket) => this.#accept(socket));
  }

  /**
   * Takes the port.
   * @throws TocsinError `TCN_PORT_IN_USE` naming host and port; `TCN_CONFIG` if the address cannot be listened on
   */
  static async listen({ host, port }: GrpcAddress): Promise<GrpcEndpoint> {
    const listener = createServer({ noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.once('error', reject);
    listener.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(error, { host, port, variable: 'TOCSIN_GRPC_PORT' });
    } finally {
      listener.off('error', reject);
    }
    const taken = (listener.address() as AddressInfo).port;
    return new GrpcEndpoint(listener, `${host.includes(':') ? `[${host}]` : host}:${taken}`);
  }

  override createClient(): Promise<Server> {
    return Promise.resolve(this.#server);
  }

  /** Called when the application has started: what has handlers is served from now on. */
  override async bindEvents(): Promise<void> {
    const definitions: unknown = this.lookupPackage(loadPackageDefinition(packageDefinition()), GRPC_PACKAGE);
    const served: string[] = [];
    for (const { name, service } of this.getServiceNames(definitions) as NamedService[]) {
      const handlers = (await this.createService(service, name)) as UntypedServiceImplementation;
      if (Object.keys(handlers).length === 0) continue;
      this.#server.addService(service.service, handlers);
      served.push(`${GRPC_PACKAGE}.${name}`);
    }
    reflection(served).addToServer(this.#server);
    const serving = ['', ...served].map((name): [string, ServingStatus] => [name, 'SERVING']);
    new HealthImplementation(Object.fromEntries(serving)).addToServer(this.#server);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    for (const socket of this.#waiting.splice(0)) this.#accept(socket);
  }

  /** Every failure leaves with its details, from unary calls and from streams alike. */
  override createServiceMethod(...[handler, native, type]: Parameters<ServerGrpc['createServiceMethod']>): Function {
    const detailed = async (...call: unknown[]): Promise<unknown> => {
      const result: unknown = await (handler as (...call: unknown[]) => unknown)(...call);
      if (!isObservable(result)) return result;
      return result.pipe(
        catchError((failure: CallFailure) =>
          throwError(() => Object.assign(failure, { metadata: statusDetails(failure) })),
        ),
      );
    };
    return super.createServiceMethod(detailed, native, type);
  }

  /** Takes no more calls, lets those under way finish for up to 5 s, then breaks what is left. Idempotent. */
  override close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    // Of the two only the listener knows when the last connection has ended: the server's sockets are not its own.
    this.#listener.close(() => resolve());
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    this.#server.tryShutdown(() => undefined);
    const late = setTimeout(() => this.#server.forceShutdown(), DRAIN_MS);
    await ended;
    clearTimeout(late);
    this.#server.forceShutdown();
  }

  #accept(socket: Socket): void {
    if (this.#injector === undefined) {
      // One that breaks while it waits is nobody's trouble.
      socket.once('error', () => socket.destroy());
      this.#waiting.push(socket);
    } else {
      this.#injector.injectConnection(socket);
    }
  }
}

/** The service looks at nothing but the descriptors in a package definition. */
function reflection(services: string[]): ReflectionService {
  const described = { [GRPC_PACKAGE]: { fileDescriptorProtos: fileDescriptors() } };
  const definition = described as unknown as ConstructorParameters<typeof ReflectionService>[0];
  return new ReflectionService(definition, { services });
}
