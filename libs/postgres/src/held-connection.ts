import { InFlight, TocsinError } from '@tocsin/domain';
import type { QueryRunner } from 'typeorm';
import { run, type Queryable } from './run.js';

/** Without a statement for so long the connection goes back to the pool, milliseconds. */
const KEPT_MS = 1_000;

/** A connection that stays with whoever runs one statement right after the other; see `Database.held`. */
export class HeldConnection implements Queryable {
  readonly #running = new InFlight();
  readonly #idle: NodeJS.Timeout;
  #runner: QueryRunner | undefined;
  #closed = false;

  /** @param take one out of the pool */
  constructor(private readonly take: () => QueryRunner) {
    this.#idle = setTimeout(() => void this.#giveBackIfIdle(), KEPT_MS).unref();
  }

  async query<Row = Record<string, unknown>>(
    sql: string,
    params: readonly unknown[] = [],
    name?: string,
  ): Promise<Row[]> {
    if (this.#closed) throw new TocsinError('TCN_UNAVAILABLE', 'the connections to Postgres are closed');
    // One that broke while nobody asked has gone back already.
    if (this.#runner === undefined || this.#runner.isReleased) this.#runner = this.take();
    const runner = this.#runner;
    this.#running.begin();
    try {
      return await run<Row>(runner, sql, params, name);
    } catch (error) {
      await this.#giveBack(runner);
      throw error;
    } finally {
      this.#running.end();
      this.#idle.refresh();
    }
  }

  /** Takes no more statements, lets those that run finish. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running.none();
    clearTimeout(this.#idle);
    await this.#giveBackIfIdle();
  }

  async #giveBackIfIdle(): Promise<void> {
    if (this.#running.size === 0 && this.#runner !== undefined) await this.#giveBack(this.#runner);
  }

  async #giveBack(runner: QueryRunner): Promise<void> {
    if (this.#runner === runner) this.#runner = undefined;
    await runner.release();
  }
}
