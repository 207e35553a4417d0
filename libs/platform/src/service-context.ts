import type { Clock, Random } from '@tocsin/domain';
import type { ReadinessRegistry } from './health/readiness-registry.js';
import type { Logger } from './logging/logger.js';

/** What every service module is given by the process it runs in, the same in both topologies. */
export interface ServiceContext {
  logger: Logger;
  clock: Clock;
  random: Random;
  readiness: ReadinessRegistry;
}
