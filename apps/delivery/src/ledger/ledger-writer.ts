import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import type { Logger } from '@tocsin/platform';
import { type Database, sqlState } from '@tocsin/postgres';
import { untraced } from '@tocsin/tracing';
import { type ClosedBatch, flushStatement } from './flush-statement.js';
import type { LedgerBatch } from './ledger-batch.js';

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;
/** SQLSTATE classes that blame the data: the same batch will be refused again, however often it is sent. */
const DATA_FAULTS = new Set(['22', '23', '54']);

/** The ledger of one shard, as its writer sees it: it has one batch out at a time. */
export interface LedgerSource {
  /** Nothing of it may be written any more. */
  readonly stopped: boolean;
  /** Closes the batch being gathered; undefined where there is nothing to write. */
  takeBatch(): ClosedBatch | undefined;
  /** The batch is committed. */
  written(closed: ClosedBatch): void;
  /** The shard belongs to somebody else: nothing of the batch was written. */
  fenced(closed: ClosedBatch): void;
  /** It was stopped before the batch could be written. */
  abandoned(closed: ClosedBatch): void;
}

interface Outgoing {
  source: LedgerSource;
  closed: ClosedBatch;
}

/**
 * Writes the batches of all of a process's shards in one statement: what a statement and its commit cost is several times what one row
 * costs, and is paid once for all that has gathered while the last one was under way.
 */
export class LedgerWriter {
  readonly #asking = new Set<LedgerSource>();
  #running = false;

  constructor(
    private readonly database: Pick<Database, 'query'>,
    private readonly logger: Logger,
  ) {}

  /** The source may have something to write; its batch is taken when the statement under way has ended. */
  ask(source: LedgerSource): void {
    this.#asking.add(source);
    if (this.#running) return;
    this.#running = true;
    // After the present turn, so that everything one event or one answer causes goes into one batch; a batch is the work of many.
    queueMicrotask(() => void untraced(() => this.#run()));
  }

  async #run(): Promise<void> {
    while (this.#asking.size > 0) {
      const sources = [...this.#asking];
      this.#asking.clear();
      const outgoing: Outgoing[] = [];
      for (const source of sources) {
        const closed = source.takeBatch();
        if (closed !== undefined) outgoing.push({ source, closed });
      }
      await this.#write(outgoing);
    }
    this.#running = false;
  }

  async #write(all: readonly Outgoing[]): Promise<void> {
    let refusals = 0;
    for (let wait = RETRY_MIN_MS; ; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      const outgoing = all.filter(({ source }) => !source.stopped);
      if (outgoing.length === 0) break;
      const { sql, parameters } = flushStatement(outgoing.map(({ closed }) => closed));
      try {
        const rows = await this.database.query<{ shard: number }>(sql, parameters);
        const held = new Set(rows.map(({ shard }) => shard));
        for (const { source, closed } of all) {
          if (!outgoing.some((one) => one.source === source)) source.abandoned(closed);
          else if (held.has(closed.shard)) source.written(closed);
          else source.fenced(closed);
        }
        return;
      } catch (error) {
        const shards = outgoing.map(({ closed }) => closed.shard);
        this.logger.warn({ err: error, shards, retryInMs: wait }, 'ledger batch not written, trying again');
        if (isDataFault(error)) {
          if (all.length > 1) {
            // Whose rows those are shows when each goes its own way; a shard has one batch out, so nobody waits for another's.
            for (const one of all) void this.#write([one]);
            return;
          }
          for (const { closed } of outgoing) this.#lighten(closed, (refusals += 1));
        }
        await setTimeoutAsync(wait);
      }
    }
    for (const { source, closed } of all) source.abandoned(closed);
  }

  /** One row that Postgres does not take must not hold up all others for ever: first the prose goes, then the attempts. */
  #lighten({ shard, batch }: { shard: number; batch: LedgerBatch }, refusals: number): void {
    if (refusals === 1) {
      batch.strip();
      return;
    }
    const attempts = batch.dropAttempts();
    this.logger.error({ shard, attempts }, 'attempts that Postgres refuses are kept in this line only');
  }
}

function isDataFault(error: unknown): boolean {
  return DATA_FAULTS.has(sqlState(error)?.slice(0, 2) ?? '');
}
