import { setImmediate } from 'node:timers/promises';
import type { AppendRequest, Appended } from '@tocsin/contracts';
import { TocsinError, isTocsinError, type Clock } from '@tocsin/domain';
import { sqlState, type Queryable } from '@tocsin/postgres';
import { activeSpanContext, untraced } from '@tocsin/tracing';
import { appendFresh } from './append-fresh.js';
import { appendBatch, type BatchOutcome } from './append-statement.js';
import { takeBatch, type BatchLimits } from './batch.js';
import { blamesData } from './blames-data.js';
import { inCommitSpan } from './commit-span.js';
import { prepareAppend, type PreparedAppend } from './prepared-append.js';
import type { RecentEvents } from './recent-events.js';

/** A batch of this size takes some 20 ms: more would make its first append wait, fewer would pay for more commits. */
const BATCH: BatchLimits = { maxEvents: 1_000, maxBytes: 4 * 1024 * 1024 };
/** What may wait: about half a second of work on two cores. Beyond that the sender is told when to come back. */
const MAX_WAITING_EVENTS = 10_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Bounds of the advice when to come back, milliseconds. */
const MIN_RETRY_AFTER_MS = 50;
const MAX_RETRY_AFTER_MS = 5_000;
/** Partitions are made ahead by a million positions; the next is asked for when half of that is used. */
const PARTITION_MARGIN = 500_000;
/** A batch that went in vain the short way is followed by so many that go the long way at once: repeats and conflicts come in swarms. */
const BATCHES_IN_DOUBT = 16;
/** Raised by `log.append` and `log.append_fresh` when the head's epoch is another one. */
const FENCED_STATE = 'TCN01';
/** Classes that may heal: transaction rollback, resources, object state, operator intervention, system error. */
const TRANSIENT_CLASSES = ['40', '53', '55', '57', '58'];

/** What an {@link Appender} needs. */
export interface AppenderOptions {
  database: Queryable;
  clock: Clock;
  /** Told once when another leader has taken over; the appender has stepped down then. */
  onFenced?: () => void;
  /** Events that may wait for the next batch. Default 10,000. */
  maxWaitingEvents?: number;
  /** Bytes one event may have as JSON; more is refused. Default: no limit but the database's. */
  maxEventBytes?: number;
  /** Given what this appender has committed, in order, before those who appended it are told. */
  recent?: RecentEvents;
}

/** Where the log stood when leadership began. */
export interface Leadership {
  epoch: number;
  head: number;
}

interface Waiting {
  append: PreparedAppend;
  /** What was active when it came; the transaction may begin in another's turn. */
  span: ReturnType<typeof activeSpanContext>;
  resolve: (events: Appended[]) => void;
  reject: (error: TocsinError) => void;
}

/**
 * The one writer of the log. While a transaction is in flight the next batch gathers; there are no timers, so a lone append goes out at
 * once and a thousand share one commit. Whoever calls {@link becomeLeader} last is the only one whose batches are taken.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #queue: Waiting[] = [];
  readonly #types = new Set<string>();
  #epoch: number | undefined;
  #head = 0;
  #freeUntil = 0;
  #waitingEvents = 0;
  #waitingBytes = 0;
  #eventsPerMs = 1;
  /** Batches yet to come that are not tried the short way. */
  #inDoubt = 0;
  #pump: Promise<void> | undefined;

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  /**
   * Starts a new epoch, which fences every earlier leader. Ask only while holding the leader's session lock: the epoch protects the log,
   * the lock keeps leaders from fencing each other in turns.
   * @throws TocsinError `TCN_UNAVAILABLE`
   */
  async becomeLeader(): Promise<Leadership> {
    const { database } = this.#options;
    const [row] = await database.query<Leadership>(
      'UPDATE log.head SET epoch = epoch + 1 RETURNING epoch, position AS head',
    );
    if (row === undefined) throw new TocsinError('TCN_LOG_DAMAGED', 'log.head has no row');
    this.#head = row.head;
    await this.#ensurePartitions();
    this.#epoch = row.epoch;
    return row;
  }

  /** The epoch in which this appender leads; undefined while it does not. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** Head of the log after the last batch of this leader. */
  get head(): number {
    return this.#head;
  }

  /**
   * Appends all events of the request or none; resolves in their order when they are durable. They must not be changed afterwards.
   * @throws TocsinError `TCN_VERSION_CONFLICT`, `TCN_KEY_REUSED`, `TCN_INVALID`, `TCN_TOO_LARGE`; retryable as it is: `TCN_OVERLOADED` with `retryAfterMs`,
   * `TCN_FENCED`, `TCN_UNAVAILABLE` (not the leader, or the connection was lost and the events may have been recorded; (source, id) makes the
   * repeat harmless)
   */
  async append(request: AppendRequest): Promise<Appended[]> {
    if (this.#epoch === undefined) throw new TocsinError('TCN_UNAVAILABLE', 'this recorder does not lead the log');
    this.#requireRoom(request.events.length);
    const append = prepareAppend(request, this.#options.maxEventBytes);
    this.#requireRoom(append.events.length, append.bytes);
    this.#waitingEvents += append.events.length;
    this.#waitingBytes += append.bytes;
    const answer = new Promise<Appended[]>((resolve, reject) =>
      this.#queue.push({ append, span: activeSpanContext(), resolve, reject }),
    );
    this.#pump ??= untraced(() => this.#run());
    return answer;
  }

  /** Takes no more appends and refuses those that wait; resolves when the batch in flight is settled. Idempotent. */
  async stepDown(): Promise<void> {
    this.#epoch = undefined;
    this.#refuseWaiting(new TocsinError('TCN_UNAVAILABLE', 'this recorder no longer leads the log'));
    await this.#pump;
  }

  /** Asked before the request is prepared too, so that a refusal costs next to nothing. */
  #requireRoom(moreEvents: number, moreBytes = 0): void {
    const max = this.#options.maxWaitingEvents ?? MAX_WAITING_EVENTS;
    const events = this.#waitingEvents + moreEvents;
    const bytes = this.#waitingBytes + moreBytes;
    if (this.#queue.length === 0 || (events <= max && bytes <= MAX_WAITING_BYTES)) return;
    const drainMs = Math.ceil(this.#waitingEvents / this.#eventsPerMs);
    throw new TocsinError('TCN_OVERLOADED', `${this.#waitingEvents} events are waiting to be recorded`, {
      retryAfterMs: Math.min(Math.max(drainMs, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS),
    });
  }

  async #run(): Promise<void> {
    // What is appended in the same turn of the event loop shares the first batch.
    await Promise.resolve();
    let flight = this.#takeOff();
    while (flight !== undefined) {
      const settle = await flight;
      // What has gathered goes out first: Postgres works while those who waited are told.
      const next = this.#takeOff();
      // The statement is written some turns of the microtask queue later; who is told now would work before that.
      if (next !== undefined) await setImmediate();
      settle();
      flight = next ?? this.#takeOff();
    }
    this.#pump = undefined;
  }

  /** Sends the next batch, if one has gathered. Resolves to what tells everybody in it; never rejects. */
  #takeOff(): Promise<() => void> | undefined {
    if (this.#epoch === undefined || this.#queue.length === 0) return undefined;
    const batch = takeBatch(this.#queue, BATCH);
    for (const { append } of batch) {
      this.#waitingEvents -= append.events.length;
      this.#waitingBytes -= append.bytes;
    }
    return this.#record(batch, this.#epoch);
  }

  async #record(batch: Waiting[], epoch: number): Promise<() => void> {
    const startedMs = this.#options.clock.monotonicMs();
    try {
      await this.#makeRoom(batch.reduce((sum, { append }) => sum + append.events.length, 0));
      const appends = batch.map(({ append }) => append);
      const types = new Set(appends.flatMap(({ events }) => events.map(({ type }) => type)));
      for (const type of this.#types) types.delete(type);
      const { outcomes, recorded, head } = await inCommitSpan(batch, () => this.#commit(epoch, appends, [...types]));
      const tookMs = Math.max(1, this.#options.clock.monotonicMs() - startedMs);
      this.#eventsPerMs = Math.max((head - this.#head) / tookMs, 0.1);
      this.#head = head;
      this.#options.recent?.add(recorded);
      for (const type of types) this.#types.add(type);
      return () => {
        for (const [index, outcome] of outcomes.entries()) {
          if ('error' in outcome) batch[index]?.reject(outcome.error);
          else batch[index]?.resolve(outcome.events);
        }
      };
    } catch (error) {
      return this.#fail(batch, epoch, error);
    }
  }

  /** The short way, where the batch allows it; the long one decides whatever the short one refuses. */
  async #commit(epoch: number, appends: PreparedAppend[], newTypes: string[]): Promise<BatchOutcome> {
    const { database } = this.#options;
    if (this.#inDoubt === 0) {
      const outcome = await appendFresh(database, epoch, appends, newTypes);
      if (outcome !== undefined) return outcome;
      this.#inDoubt = BATCHES_IN_DOUBT;
    }
    this.#inDoubt -= 1;
    return appendBatch(database, epoch, appends, newTypes);
  }

  async #fail(batch: Waiting[], epoch: number, error: unknown): Promise<() => void> {
    const state = sqlState(error) ?? '';
    if (state === FENCED_STATE) {
      const fenced = new TocsinError('TCN_FENCED', `epoch ${epoch} of the log has ended`, { cause: error });
      this.#epoch = undefined;
      return () => {
        for (const { reject } of batch) reject(fenced);
        this.#refuseWaiting(fenced);
        this.#options.onFenced?.();
      };
    }
    if (blamesData(error) && batch.length > 1) {
      // One of them cannot be stored, for a reason that was not foreseen: the others must not suffer for it.
      const settles: (() => void)[] = [];
      for (const each of batch) settles.push(await this.#record([each], epoch));
      return () => settles.forEach((settle) => settle());
    }
    const translated = failure(error, state);
    return () => {
      for (const { reject } of batch) reject(translated);
    };
  }

  #refuseWaiting(error: TocsinError): void {
    this.#waitingEvents = 0;
    this.#waitingBytes = 0;
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  async #makeRoom(events: number): Promise<void> {
    if (this.#head + PARTITION_MARGIN < this.#freeUntil) return;
    try {
      await this.#ensurePartitions();
    } catch (error) {
      // There is room left; the next batch tries again.
      if (this.#head + events >= this.#freeUntil) throw error;
    }
  }

  async #ensurePartitions(): Promise<void> {
    const [row] = await this.#options.database.query<{ until: number }>('SELECT log.ensure_partitions() AS until');
    this.#freeUntil = row?.until ?? 0;
  }
}

function failure(error: unknown, state: string): TocsinError {
  if (isTocsinError(error, 'TCN_UNAVAILABLE')) {
    const detail =
      'the connection to Postgres was lost; the events may have been recorded, and repeating the append is safe';
    return new TocsinError('TCN_UNAVAILABLE', detail, { cause: error });
  }
  if (isTocsinError(error)) return error;
  if (blamesData(error)) return new TocsinError('TCN_INVALID', 'Postgres cannot store this event', { cause: error });
  if (TRANSIENT_CLASSES.includes(state.slice(0, 2))) {
    return new TocsinError('TCN_UNAVAILABLE', 'Postgres could not record the events now', { cause: error });
  }
  return new TocsinError('TCN_INTERNAL', 'the events could not be recorded', { cause: error });
}
