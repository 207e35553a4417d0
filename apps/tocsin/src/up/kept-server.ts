import { type Logger, pause } from '@tocsin/platform';

/** An embedded server as this process needs it. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly exited: Promise<unknown>;
  stop(): Promise<void>;
}

/** Pauses before a restart: they double from the first to the second, milliseconds. */
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** A server that ran this long is not in a loop of crashes, milliseconds. */
const STEADY_MS = 30_000;

/** Keeps one embedded server running: started again on the same port if it ends by itself, since the services reconnect to that. */
export class KeptServer {
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(
    readonly name: string,
    private server: Server,
    private readonly start: (port?: number) => Promise<Server>,
    private readonly logger: Logger,
  ) {
    this.#watching = this.#watch();
  }

  /** @param start starts the server; without a port on a free one */
  static async start(name: string, start: (port?: number) => Promise<Server>, logger: Logger): Promise<KeptServer> {
    return new KeptServer(name, await start(), start, logger);
  }

  get url(): string {
    return this.server.url;
  }

  /** Stops it, also where it is just being started again; nothing runs any more when this settles. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.server.stop();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = PAUSE_MIN_MS;
    while (!signal.aborted) {
      const since = performance.now();
      await this.server.exited.catch((error: unknown) => {
        this.logger.error({ err: error, server: this.name }, `${this.name} has not ended in good order`);
      });
      if (signal.aborted) return;
      if (performance.now() - since > STEADY_MS) pauseMs = PAUSE_MIN_MS;
      this.logger.error({ server: this.name, inMs: pauseMs }, `${this.name} has ended by itself, starting it again`);
      const { port } = this.server;
      for (let started = false; !started;) {
        await pause(pauseMs, signal);
        if (signal.aborted) return;
        pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
        started = await this.#restart(port, pauseMs);
      }
    }
    // The end was asked for while it was being started again.
    await this.server.stop();
  }

  async #restart(port: number, nextMs: number): Promise<boolean> {
    try {
      this.server = await this.start(port);
      this.logger.info({ server: this.name }, `${this.name} is there again`);
      return true;
    } catch (error) {
      this.logger.error({ err: error, server: this.name, retryInMs: nextMs }, `${this.name} does not start`);
      return false;
    }
  }
}
