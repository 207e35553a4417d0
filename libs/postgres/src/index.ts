export { Database, type DatabaseOptions } from './database.js';
export type { Queryable } from './run.js';
export type { ConnectionOptions } from './connection.js';
export {
  SQLSTATE,
  constraintOf,
  isConcurrencyFailure,
  isConnectionLoss,
  isUniqueViolation,
  sqlState,
} from './errors.js';
export { SessionLock, type SessionLockOptions } from './session-lock.js';
export { listen, type ListenOptions, type Listening } from './listen.js';
// TypeORM is imported here alone; whoever declares read models or migrations takes these names from here.
export { EntitySchema, type DataSource, type MigrationInterface, type QueryRunner, type Repository } from 'typeorm';
