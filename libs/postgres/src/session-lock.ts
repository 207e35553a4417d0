import type { Client } from 'pg';
import { connect, type ConnectionOptions, type StartupSettings } from './connection.js';
import { ping } from './ping.js';

/**
 * The holder asks its connection this often, milliseconds. A server that ends silent sessions (`idle_session_timeout`) must be given a
 * multiple of it.
 */
const PING_INTERVAL_MS = 400;
/** An answer that takes longer counts as lost. */
const PING_TIMEOUT_MS = 2_000;

/** The server's side: it drops a holder whose machine has vanished, so that the lock becomes free. */
const DROP_DEAD_HOLDER: StartupSettings = {
  tcp_keepalives_idle: 2,
  tcp_keepalives_interval: 1,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 5_000,
};

/** What {@link SessionLock.tryAcquire} takes. */
export interface SessionLockOptions extends ConnectionOptions {
  /** Key of the advisory lock, 64 bits signed; one lock per key and database. */
  key: bigint | number;
  /** Called once if the lock is lost, never after `release`. Whatever it guarded must stop at once. */
  onLost: (error?: Error) => void;
}

/**
 * A session advisory lock on a connection of its own, outside every pool. It is held as long as that connection lives; the holder
 * notices its death by the socket's end, by TCP keepalive and by asking it several times a second.
 *
 * Losing the connection and noticing it are two moments, so a lock alone never protects data: fence writes by an epoch as well.
 */
export class SessionLock {
  /** Process id of the server's backend that holds the lock. */
  readonly pid: number;
  readonly #client: Client;
  readonly #key: string;
  readonly #onLost: (error?: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #held = true;
  /** The question that is waiting for its answer; one at a time. */
  #asking: Promise<void> | undefined;

  private constructor(client: Client, pid: number, options: SessionLockOptions) {
    this.pid = pid;
    this.#client = client;
    this.#key = String(options.key);
    this.#onLost = options.onLost;
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose());
    this.#timer = setInterval(() => {
      this.#asking ??= this.#ask();
    }, PING_INTERVAL_MS);
    this.#timer.unref();
  }

  /**
   * Takes the lock if it is free; undefined if somebody else holds it.
   * @throws TocsinError `TCN_POSTGRES_UNREACHABLE` if no connection can be had
   */
  static async tryAcquire(options: SessionLockOptions): Promise<SessionLock | undefined> {
    const client = await connect(options, DROP_DEAD_HOLDER);
    try {
      const { rows } = await client.query<{ taken: boolean; pid: number }>(
        'SELECT pg_try_advisory_lock($1::bigint) AS taken, pg_backend_pid() AS pid',
        [String(options.key)],
      );
      const [row] = rows;
      if (row?.taken === true) return new SessionLock(client, row.pid, options);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    await client.end();
    return undefined;
  }

  /** Is the lock held, as far as is known here? */
  get held(): boolean {
    return this.#held;
  }

  /** Gives the lock up and closes the connection. Idempotent. */
  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    clearInterval(this.#timer);
    await this.#asking;
    // If the connection is gone, so is the lock.
    await this.#client.query('SELECT pg_advisory_unlock($1::bigint)', [this.#key]).catch(() => undefined);
    await this.#client.end().catch(() => undefined);
  }

  async #ask(): Promise<void> {
    try {
      await ping(this.#client, PING_TIMEOUT_MS);
    } catch (error) {
      this.#lose(error instanceof Error ? error : undefined);
    }
    this.#asking = undefined;
  }

  #lose(error?: Error): void {
    if (!this.#held) return;
    this.#held = false;
    clearInterval(this.#timer);
    this.#client.end().catch(() => undefined);
    this.#onLost(error);
  }
}
