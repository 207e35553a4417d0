import 'reflect-metadata';
import { type DynamicModule, type INestApplication, Module, type Type } from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import { ApiKeyGuard } from './access/api-key-guard.js';
import type { KeyVerifier } from './access/principal.js';
import { ProblemFilter } from './errors/problem-filter.js';
import { HealthController } from './health/health.controller.js';
import { ReadinessRegistry } from './health/readiness-registry.js';
import { BodyReader } from './http/body-reader.js';
import { HttpFront } from './http/http-front.js';
import { SchemaPipe } from './http/schema-pipe.js';
import { NestLogger } from './logging/nest-logger.js';
import { API_DESCRIPTION } from './openapi/api-description.js';
import { ApiDocument } from './openapi/api-document.js';
import { DocsController } from './openapi/docs.controller.js';
import { PLATFORM_API } from './openapi/platform-api.js';
import { withoutPretenuring } from './pretenuring.js';
import type { ServiceContext } from './service-context.js';
import { stopOnSignals } from './signals.js';
import { observeReadiness } from './telemetry/readiness-metrics.js';
import { SpanNames } from './telemetry/span-names.js';

/** How a service is put on a port. */
export interface BootstrapOptions {
  /** Name of the process, for the log. */
  name: string;
  /** Address to listen on. */
  host: string;
  /** 0 for any free one. */
  port: number;
  context: ServiceContext;
  /** Says whose key this is, for every route that is not `@Public()`. */
  verifier: KeyVerifier;
  /** Further modules in the same application. */
  extraModules?: readonly (DynamicModule | Type)[];
  /** Largest request body in bytes. Default 1 MiB. */
  bodyLimitBytes?: number;
  /** Called before the application starts: further transports (`app.connectMicroservice(…, { inheritAppConfig: true })`), static files. */
  configure?: (app: INestApplication) => void | Promise<void>;
  /** False: the caller stops the process by itself, through `close()`. Default true: SIGTERM and SIGINT do, see `stopOnSignals`. */
  signals?: boolean;
  /** With `signals`: what else to stop, after the application has closed (the broker's connection). */
  afterClose?: () => Promise<void>;
}

/** A running service. */
export interface RunningApp {
  /** Where to call it: `http://127.0.0.1:7070`. */
  readonly url: string;
  readonly port: number;
  readonly app: INestApplication;
  /**
   * Stops taking requests, lets those under way finish, then stops the modules. Idempotent. A module that fails to stop is logged and
   * does not keep the others from stopping.
   */
  close(): Promise<void>;
}

@Module({})
class RootModule {}

@Module({})
class PlatformModule {}

/**
 * Puts a service on a port: guard, problem documents, bodies, health endpoints, orderly end.
 * @throws TocsinError `TCN_PORT_IN_USE` naming host and port, before any module was started; whatever a module throws at its start
 */
export async function bootstrap(module: DynamicModule | Type, options: BootstrapOptions): Promise<RunningApp> {
  withoutPretenuring(process.execArgv);
  const { context } = options;
  const logger = context.logger.child({ module: 'http' });
  const front = new HttpFront();
  const port = await front.listen(options.host, options.port);
  let app: INestApplication | undefined;
  try {
    app = await NestFactory.create(rootModule(module, options), front.adapter, {
      logger: new NestLogger(context.logger),
      abortOnError: false,
      bodyParser: false,
      routeConflictPolicy: { duplicate: 'error' },
    });
    const reflector = app.get(Reflector);
    app.useGlobalFilters(new ProblemFilter(logger));
    app.useGlobalGuards(new ApiKeyGuard(reflector, options.verifier));
    app.useGlobalInterceptors(new SpanNames(), new BodyReader(reflector, options.bodyLimitBytes));
    app.useGlobalPipes(new SchemaPipe());
    await options.configure?.(app);
    await app.init();
    await app.startAllMicroservices();
  } catch (error) {
    await front.close();
    await app?.close();
    throw error;
  }
  front.open();
  const started = app;
  let closed: Promise<void> | undefined;
  const unobserve = observeReadiness(context.readiness);
  const close = () => {
    unobserve();
    return (closed ??= front.close().then(() => started.close()));
  };
  const stop = async () => {
    try {
      await close();
    } finally {
      await options.afterClose?.();
    }
  };
  const ignoreSignals = options.signals === false ? undefined : stopOnSignals({ logger, stop });
  const url = urlOf(options.host, port);
  logger.info({ url }, `${options.name} listens`);
  return {
    url,
    port,
    app,
    close: () => {
      ignoreSignals?.();
      return close();
    },
  };
}

function rootModule(module: DynamicModule | Type, options: BootstrapOptions): DynamicModule {
  const platform: DynamicModule = {
    module: PlatformModule,
    controllers: [HealthController, DocsController],
    providers: [
      { provide: ReadinessRegistry, useValue: options.context.readiness },
      { provide: API_DESCRIPTION, useValue: [PLATFORM_API] },
      ApiDocument,
    ],
  };
  return { module: RootModule, imports: [platform, module, ...(options.extraModules ?? [])] };
}

/** An address one can call; all addresses of the machine are called by its own. */
function urlOf(host: string, port: number): string {
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${callable.includes(':') ? `[${callable}]` : callable}:${port}`;
}
