import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { TocsinError } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import { type Database, sqlState } from '@tocsin/postgres';
import { untraced } from '@tocsin/tracing';
import { LedgerBatch } from './ledger-batch.js';
import type { ShardState } from './records.js';
import { loadShardState } from './shard-state.js';

/** How long a change of nothing but the checkpoint may wait, milliseconds: it only saves reading again after a crash. */
const CHECKPOINT_DELAY_MS = 500;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;
/** SQLSTATE classes that blame the data: the same batch will be refused again, however often it is sent. */
const DATA_FAULTS = new Set(['22', '23', '54']);

/**
 * Writes what happens in one shard, in batches: while one is on its way the next gathers, no timer delays an outcome. A batch that
 * could not be written is tried again until it is, or until the shard turns out to belong to somebody else.
 */
export class ShardLedger {
  #batch = new LedgerBatch();
  #written = 0;
  #flushing = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly shard: number,
    private readonly epoch: number,
    private readonly options: {
      logger: Logger;
      /**
       * Called at the moment a batch is closed: the position up to which everything is settled or has a row once the batch is
       * written. May still add rows to this batch.
       */
      checkpointNow: () => number;
      onFenced: () => void;
    },
  ) {}

  /** The checkpoint as it is stored. */
  get checkpoint(): number {
    return this.#written;
  }

  /** What the shard's rows say. Call once, before anything is recorded. */
  async load(): Promise<ShardState> {
    const state = await loadShardState(this.database, this.shard);
    this.#written = state.checkpoint;
    return state;
  }

  /**
   * Adds to the batch being gathered; everything added in one turn of the event loop is written together or not at all.
   * Resolves once it is committed.
   * @throws TocsinError `TCN_FENCED` if this process no longer holds the shard
   */
  write(add: (batch: LedgerBatch) => void): Promise<void> {
    add(this.#batch);
    const { promise } = this.#batch.committed;
    this.#start();
    return promise;
  }

  /** As {@link write}, where nobody waits: losing the shard ends this process's part in it. */
  note(add: (batch: LedgerBatch) => void): void {
    add(this.#batch);
    this.#start();
  }

  /** The checkpoint may have moved: written soon, with whatever else there is. */
  checkpointMoved(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, CHECKPOINT_DELAY_MS);
    this.#timer.unref();
  }

  /** Writes what is left, at most for `timeoutMs`, and takes no more. */
  async close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#start();
    if (this.#flushing) {
      this.#idle = Promise.withResolvers<void>();
      const deadline = AbortSignal.timeout(Math.ceil(timeoutMs));
      deadline.addEventListener('abort', () => this.#idle?.resolve(), { once: true });
      await this.#idle.promise;
    }
    this.giveUp();
  }

  /** Nothing more is written; whoever waits for a commit learns that this process no longer decides. */
  giveUp(): void {
    clearTimeout(this.#timer);
    this.#stopped = true;
    this.#batch.committed.reject(
      new TocsinError('TCN_FENCED', `shard ${this.shard} is no longer held by this process`),
    );
  }

  #start(): void {
    if (this.#flushing || this.#stopped) return;
    this.#flushing = true;
    // After the present turn, so that everything one event or one answer causes goes into one batch.
    queueMicrotask(() => {
      // A batch is the work of many.
      void untraced(() => this.#flushAll()).finally(() => {
        this.#flushing = false;
        this.#idle?.resolve();
      });
    });
  }

  async #flushAll(): Promise<void> {
    while (!this.#stopped) {
      const checkpoint = this.options.checkpointNow();
      const batch = this.#batch;
      if (batch.empty && checkpoint <= this.#written) return;
      this.#batch = new LedgerBatch();
      await this.#send(batch, checkpoint);
    }
  }

  async #send(batch: LedgerBatch, checkpoint: number): Promise<void> {
    let refusals = 0;
    for (let wait = RETRY_MIN_MS; !this.#stopped; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      const { sql, parameters } = batch.statement(this.shard, this.epoch, checkpoint);
      try {
        const [row] = await this.database.query<{ held: number }>(sql, parameters);
        if (row?.held !== 1) {
          batch.committed.reject(new TocsinError('TCN_FENCED', `shard ${this.shard} was taken over`));
          this.giveUp();
          this.options.onFenced();
          return;
        }
        this.#written = Math.max(this.#written, checkpoint);
        batch.committed.resolve();
        return;
      } catch (error) {
        this.options.logger.warn(
          { err: error, shard: this.shard, retryInMs: wait },
          'ledger batch not written, trying again',
        );
        if (isDataFault(error)) this.#lighten(batch, (refusals += 1));
        await setTimeoutAsync(wait);
      }
    }
    batch.committed.reject(
      new TocsinError('TCN_FENCED', `shard ${this.shard} was given up before the batch was written`),
    );
  }

  /** One row that Postgres does not take must not hold up all others for ever: first the prose goes, then the attempts. */
  #lighten(batch: LedgerBatch, refusals: number): void {
    if (refusals === 1) {
      batch.strip();
      return;
    }
    const attempts = batch.dropAttempts();
    this.options.logger.error(
      { shard: this.shard, attempts },
      'attempts that Postgres refuses are kept in this line only',
    );
  }
}

function isDataFault(error: unknown): boolean {
  return DATA_FAULTS.has(sqlState(error)?.slice(0, 2) ?? '');
}
