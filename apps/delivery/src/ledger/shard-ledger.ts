import { TocsinError } from '@tocsin/domain';
import type { Database } from '@tocsin/postgres';
import type { ClosedBatch } from './flush-statement.js';
import { LedgerBatch } from './ledger-batch.js';
import type { LedgerSource, LedgerWriter } from './ledger-writer.js';
import type { ShardState } from './records.js';
import { loadShardState } from './shard-state.js';

/** How long a change of nothing but the checkpoint may wait, milliseconds: it only saves reading again after a crash. */
const CHECKPOINT_DELAY_MS = 500;

/**
 * Has what happens in one shard written, in batches: while one is on its way the next gathers, no timer delays an outcome. A batch is
 * tried again until it is written, or until the shard turns out to belong to somebody else.
 */
export class ShardLedger implements LedgerSource {
  #batch = new LedgerBatch();
  #written = 0;
  #flushing = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly writer: LedgerWriter,
    private readonly shard: number,
    private readonly epoch: number,
    private readonly options: {
      /**
       * Called at the moment a batch is closed: the position up to which everything is settled or has a row once the batch is
       * written. May still add rows to this batch.
       */
      checkpointNow: () => number;
      onFenced: () => void;
    },
  ) {}

  get stopped(): boolean {
    return this.#stopped;
  }

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

  takeBatch(): ClosedBatch | undefined {
    const checkpoint = this.#stopped ? this.#written : this.options.checkpointNow();
    const batch = this.#batch;
    if (this.#stopped || (batch.empty && checkpoint <= this.#written)) {
      this.#flushing = false;
      this.#idle?.resolve();
      return undefined;
    }
    this.#batch = new LedgerBatch();
    return { shard: this.shard, epoch: this.epoch, checkpoint, batch };
  }

  written({ checkpoint, batch }: ClosedBatch): void {
    this.#written = Math.max(this.#written, checkpoint);
    batch.committed.resolve();
    this.writer.ask(this);
  }

  fenced({ batch }: ClosedBatch): void {
    batch.committed.reject(new TocsinError('TCN_FENCED', `shard ${this.shard} was taken over`));
    this.giveUp();
    this.writer.ask(this);
    this.options.onFenced();
  }

  abandoned({ batch }: ClosedBatch): void {
    batch.committed.reject(
      new TocsinError('TCN_FENCED', `shard ${this.shard} was given up before the batch was written`),
    );
    this.writer.ask(this);
  }

  #start(): void {
    if (this.#flushing || this.#stopped) return;
    this.#flushing = true;
    this.writer.ask(this);
  }
}
