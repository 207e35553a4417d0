export type { EventStore, LatestAnswer, ReadPage, ReadQuery } from '@tocsin/contracts';
export { Appender, type AppenderOptions, type Leadership } from './appender.js';
export { leafHash, contentHash, type EventContent } from './leaf-hash.js';
export { LOG_CHANNEL, LOG_DATABASE, RECORDER_ROLE } from './log-database.js';
export { PostgresLog, type PostgresLogOptions } from './postgres-log.js';
export { RecentEvents, type RecentEventsLimits, type SizedEvent } from './recent-events.js';
export { Upcasters, type Upcaster } from './upcasters.js';
export type { Finding, VerifyProgress } from './verify.js';
