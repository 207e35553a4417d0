import type { DynamicModule, INestApplication } from '@nestjs/common';
import { isTocsinError } from '@tocsin/domain';
import { Broker } from '@tocsin/jetstream';
import { allKeys } from './access/all-keys.js';
import { bootstrap } from './bootstrap.js';
import type { ConfigFields } from './config/define-config.js';
import { unknownVariables } from './config/unknown-variables.js';
import { ReadinessRegistry } from './health/readiness-registry.js';
import { createLogger } from './logging/logger.js';
import type { ServiceContext } from './service-context.js';
import { systemClock } from './system-clock.js';

/** The values every service's configuration has. */
export interface ServiceConfig {
  readonly TOCSIN_HTTP_HOST: string;
  readonly TOCSIN_HTTP_PORT: number;
  readonly TOCSIN_NATS_URL: string;
  readonly TOCSIN_API_KEY: string;
  readonly TOCSIN_LOG_LEVEL: string;
  readonly TOCSIN_LOG_FORMAT: 'json' | 'pretty' | undefined;
}

/** What makes one service of the distributed topology. */
export interface ServiceDefinition<C extends ServiceConfig> {
  /** Name of the process, e.g. `delivery`. */
  name: string;
  config: { readonly fields: ConfigFields; parse(env: NodeJS.ProcessEnv): C };
  register(parts: { config: C; context: ServiceContext; broker: Broker }): DynamicModule;
  /** Called before the application starts: further transports, see `BootstrapOptions.configure`. */
  configure?(app: INestApplication, config: C, context: ServiceContext): void | Promise<void>;
}

/**
 * Runs one service as its own process: configuration from the environment, one connection to NATS, the module on its port, an
 * orderly end at SIGTERM and SIGINT. What stops it from starting is one line on standard error, and exit code 1.
 * No NATS at the start is such a reason too: whoever restarts processes waits for it, and a wrong address shows at once.
 */
export async function runService<C extends ServiceConfig>(service: ServiceDefinition<C>): Promise<void> {
  try {
    const config = service.config.parse(process.env);
    const logger = createLogger({
      name: service.name,
      level: config.TOCSIN_LOG_LEVEL,
      format: config.TOCSIN_LOG_FORMAT,
    });
    for (const warning of unknownVariables(process.env, [service.config.fields])) logger.warn(warning);
    const context: ServiceContext = {
      logger,
      clock: systemClock,
      random: Math.random,
      readiness: new ReadinessRegistry(),
    };
    const broker = await Broker.connect({ servers: config.TOCSIN_NATS_URL, name: `tocsin ${service.name}` });
    context.readiness.register('nats', () => broker.check());
    await bootstrap(service.register({ config, context, broker }), {
      name: service.name,
      host: config.TOCSIN_HTTP_HOST,
      port: config.TOCSIN_HTTP_PORT,
      context,
      verifier: allKeys(config.TOCSIN_API_KEY, broker, context.clock),
      configure: (app) => service.configure?.(app, config, context),
      afterClose: () => broker.close(),
    });
  } catch (error) {
    process.stderr.write(`${startFailure(service.name, error)}\n`);
    process.exit(1);
  }
}

/** The one line that says why a process did not start; the stack only where the cause is a defect. */
export function startFailure(name: string, error: unknown): string {
  if (isTocsinError(error)) return `${name}: ${error.code}: ${error.message}`;
  return `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
