import { startNats, startPostgres } from '@tocsin/embedded';
import type { Logger } from '@tocsin/platform';
import { KeptServer } from './kept-server.js';

/** The servers of a standalone process: its own, or those it was given. */
export interface Servers {
  postgresUrl: string;
  natsUrl: string;
  /** Stops those that are its own. */
  stop(): Promise<void>;
}

/**
 * Starts whichever of Postgres and NATS is not given, both at once.
 * @throws TocsinError what `@tocsin/embedded` throws; nothing is left running then
 */
export async function startServers(options: {
  dataDir: string;
  postgresUrl: string | undefined;
  natsUrl: string | undefined;
  logger: Logger;
  /** Told, one line each, what takes time. */
  say: (line: string) => void;
}): Promise<Servers> {
  const { dataDir, logger, say: log } = options;
  const withPort = (port: number | undefined) => (port === undefined ? {} : { port });
  const starting = {
    postgres:
      options.postgresUrl === undefined
        ? KeptServer.start(
            'Postgres',
            (port) => startPostgres({ dataDir: `${dataDir}/postgres`, log, ...withPort(port) }),
            logger,
          )
        : undefined,
    nats:
      options.natsUrl === undefined
        ? KeptServer.start('NATS', (port) => startNats({ dataDir: `${dataDir}/nats`, log, ...withPort(port) }), logger)
        : undefined,
  };
  const results = await Promise.allSettled([starting.postgres, starting.nats]);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []));
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    postgresUrl: options.postgresUrl ?? (await starting.postgres)?.url ?? '',
    natsUrl: options.natsUrl ?? (await starting.nats)?.url ?? '',
    stop,
  };
}
