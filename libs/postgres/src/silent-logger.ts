import type { Logger } from 'typeorm';

/** TypeORM writes to the console even where logging is off. What goes wrong is thrown here, and logged by whoever catches it. */
export const SILENT_LOGGER: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};
