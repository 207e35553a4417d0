import { startNats, startPostgres } from '@tocsin/embedded';
import type { Logger } from '@tocsin/platform';
import { setTimeout as sleep } from 'node:timers/promises';

/** An embedded server as this process needs it. */
interface Server {
  readonly url: string;
  readonly port: number;
  readonly exited: Promise<unknown>;
  stop(): Promise<void>;
}

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 5_000;

/** Keeps one embedded server running: started again on the same port if it ends by itself, since the services reconnect to that. */
class KeptServer {
  #stopping = false;

  private constructor(
    readonly name: string,
    private server: Server,
    private readonly start: (port?: number) => Promise<Server>,
    private readonly logger: Logger,
  ) {
    void this.#watch();
  }

  static async start(name: string, start: (port?: number) => Promise<Server>, logger: Logger): Promise<KeptServer> {
    return new KeptServer(name, await start(), start, logger);
  }

  get url(): string {
    return this.server.url;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.server.stop();
  }

  async #watch(): Promise<void> {
    let wait = RESTART_MIN_MS;
    for (;;) {
      await this.server.exited;
      if (this.#stopping) return;
      this.logger.error({ server: this.name }, `${this.name} has ended by itself, starting it again`);
      const { port } = this.server;
      while (!this.#stopping) {
        try {
          this.server = await this.start(port);
          wait = RESTART_MIN_MS;
          break;
        } catch (error) {
          this.logger.error({ err: error, server: this.name, retryInMs: wait }, `${this.name} does not start`);
          await sleep(wait);
          wait = Math.min(wait * 2, RESTART_MAX_MS);
        }
      }
      if (this.#stopping) await this.server.stop();
    }
  }
}

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
