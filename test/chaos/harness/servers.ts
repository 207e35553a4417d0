import { type NatsServer, type PostgresServer, startNats, startPostgres } from '@tocsin/embedded';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kill } from './judge.js';
import { patienceMs } from './patience.js';

/** How long after Postgres is back until what was answered meanwhile is in the ledger: the wait before another try, and the try. */
const CATCH_UP_MS = patienceMs(1_500);

/** Postgres and NATS of a distributed Tocsin: killed, stopped, emptied, and back under the same addresses. */
export class Servers {
  #postgres: PostgresServer | undefined;
  #nats: NatsServer | undefined;
  #postgresUrl = '';
  #natsUrl = '';
  #away: Kill | undefined;

  /**
   * @param folder theirs are below
   * @param kills where an absence of Postgres is put down: what is answered meanwhile cannot be written down
   * @param ledgerMs time an outcome may take to the ledger
   */
  constructor(
    private readonly folder: string,
    private readonly kills: Kill[],
    private readonly ledgerMs: number,
  ) {}

  get postgresUrl(): string {
    return this.#postgresUrl;
  }

  get natsUrl(): string {
    return this.#natsUrl;
  }

  /** Starts whichever does not run. */
  async start(): Promise<void> {
    await this.startPostgres();
    await this.startNats();
  }

  async startPostgres(): Promise<void> {
    if (this.#postgres !== undefined) return;
    const port = portOf(this.#postgresUrl);
    this.#postgres = await startPostgres({ dataDir: join(this.folder, 'postgres'), ...port });
    this.#postgresUrl = this.#postgres.url;
    if (this.#away !== undefined) this.#away.untilMs = performance.now() + CATCH_UP_MS;
    this.#away = undefined;
  }

  async startNats(): Promise<void> {
    if (this.#nats !== undefined) return;
    this.#nats = await startNats({ dataDir: join(this.folder, 'nats'), ...portOf(this.#natsUrl) });
    this.#natsUrl = this.#nats.url;
  }

  /** Postgres goes away, as by an administrator's restart or as by a crash. */
  async stopPostgres(how: 'stop' | 'kill -9'): Promise<void> {
    const server = this.#postgres;
    if (server === undefined) throw new Error('Postgres does not run');
    this.#noteAway(`${how} of Postgres`);
    this.#postgres = undefined;
    if (how === 'stop') await server.stop();
    else server.kill9();
    await server.exited;
  }

  async stopNats(how: 'stop' | 'kill -9'): Promise<void> {
    const server = this.#nats;
    if (server === undefined) throw new Error('NATS does not run');
    this.#nats = undefined;
    if (how === 'stop') await server.stop();
    else server.kill9();
    await server.exited;
  }

  /** What a JetStream store lost with its disk would have held. Only while NATS is stopped. */
  async wipeJetStream(): Promise<void> {
    await rm(join(this.folder, 'nats/jetstream'), { recursive: true, force: true });
  }

  /** Kills both, with whatever else is killed. */
  kill9(): void {
    if (this.#postgres !== undefined) this.#noteAway('kill -9 of Postgres');
    this.#leaving.push(...[this.#postgres?.exited, this.#nats?.exited].filter((each) => each !== undefined));
    this.#postgres?.kill9();
    this.#nats?.kill9();
    this.#postgres = this.#nats = undefined;
  }

  readonly #leaving: Promise<unknown>[] = [];

  /** Waits for the end of what was killed. */
  async gone(): Promise<void> {
    await Promise.all(this.#leaving.splice(0));
  }

  #noteAway(what: string): void {
    const atMs = performance.now();
    this.#away = { what, atMs, fromMs: atMs - this.ledgerMs, untilMs: Number.POSITIVE_INFINITY };
    this.kills.push(this.#away);
  }
}

function portOf(url: string): { port?: number } {
  const port = /:(\d+)(?:\/|$)/.exec(url.replace(/^.*@/, ''))?.[1];
  return port === undefined ? {} : { port: Number(port) };
}
