export type { ServerExit } from './running-server.js';
export { findNatsServer, type FindNatsServerOptions } from './find-nats-server.js';
export { freePort } from './free-port.js';
export { startNats, type NatsServer, type StartNatsOptions } from './nats.js';
export { startPostgres, type PostgresServer, type StartPostgresOptions } from './postgres.js';
export { identify, isRunning, waitUntilGone, type ProcessIdentity } from './process-identity.js';
