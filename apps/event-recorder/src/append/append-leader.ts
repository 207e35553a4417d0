import type { Appended, AppendRequest } from '@tocsin/contracts';
import { isTocsinError, type Random, TocsinError } from '@tocsin/domain';
import { type Logger, pause } from '@tocsin/platform';
import { activeSpanContext, inSpan } from '@tocsin/tracing';
import { AppendStatistics } from './append-statistics.js';
import type { LocalLeader } from './log-writer.js';
import { LOOK_MS, type Succession } from './succession.js';

/**
 * How often a standby tries the lock, in milliseconds. Postgres frees the lock of a killed process as soon as its connection
 * closes, so this is most of the failover time; 2 s are allowed.
 */
const POLL_MS = 250;

/** The lock that makes a leader. */
export interface LeaderLock {
  release(): Promise<void>;
}

/** The appender of one term: fenced by the epoch it began with. */
export interface TermAppender {
  readonly epoch: number;
  append(request: AppendRequest): Promise<Appended[]>;
  close(): Promise<void>;
}

/** Something only the leader does. */
export interface LeaderDuty {
  /** A term begins. Must not wait for anything: recording starts at once. */
  begin(leader: LocalLeader, epoch: number): void;
  /** The term is over. */
  end(): Promise<void>;
  /** Events were committed up to `position`. */
  committed?(position: number): void;
}

/** What an {@link AppendLeader} works with. */
export interface LeaderParts {
  /** Tries the lock; `onLost` is called at most once, when its connection dies. */
  acquire(onLost: (error?: Error) => void): Promise<LeaderLock | undefined>;
  /** Begins a term: a new epoch, after which every earlier appender is fenced. */
  takeOver(): Promise<TermAppender>;
  duties: readonly LeaderDuty[];
  /** Says when a recorder without NATS has to leave the log to another; without it none ever does. */
  succession?: Succession;
  logger: Logger;
  random: Random;
}

/**
 * One of the recorders is the writer of the log: the one that holds the lock. This class stands for election until stopped; while
 * it leads, it appends and its duties run. It stops leading the moment the lock's connection dies; what a stale leader might still
 * have in flight is refused by the epoch.
 */
export class AppendLeader implements LocalLeader {
  readonly #stopping = new AbortController();
  readonly #onLeading = new Set<() => void>();
  readonly #statistics = new AppendStatistics();
  #term: { appender: TermAppender; depose: (reason: string) => void } | undefined;
  #running: Promise<void> | undefined;
  #electionError: string | undefined = 'the election has not been decided yet';

  constructor(private readonly parts: LeaderParts) {}

  /** Does this process write the log now? */
  get leading(): boolean {
    return this.#term !== undefined;
  }

  /** Epoch of the current term; undefined on a standby. */
  get epoch(): number | undefined {
    return this.#term?.appender.epoch;
  }

  /** Why it is not known who leads; undefined where this recorder leads or another one holds the lock. */
  get electionError(): string | undefined {
    return this.#electionError;
  }

  onLeading(listener: () => void): () => void {
    this.#onLeading.add(listener);
    return () => this.#onLeading.delete(listener);
  }

  /** Stands for election from now on. */
  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  /** Finishes what was accepted, hands the lock over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.parts.succession?.withdraw();
  }

  /**
   * Appends all events of the request or none; resolves after the commit.
   * @throws TocsinError `TCN_UNAVAILABLE` (not the leader), and what the appender throws
   */
  append(request: AppendRequest): Promise<Appended[]> {
    const append = () => this.#statistics.measure(() => this.#append(request));
    // A producer outside of every trace begins none here.
    if (activeSpanContext() === undefined) return append();
    return inSpan('append', { attributes: { 'tocsin.batch.events': request.events.length } }, async (span) => {
      const appended = await append();
      span.setAttribute('tocsin.position', Math.max(...appended.map(({ position }) => position)));
      return appended;
    });
  }

  async #append(request: AppendRequest): Promise<Appended[]> {
    const term = this.#term;
    if (term === undefined) throw new TocsinError('TCN_UNAVAILABLE', 'this recorder does not lead the log');
    try {
      const appended = await term.appender.append(request);
      const last = Math.max(...appended.map(({ position }) => position));
      for (const duty of this.parts.duties) duty.committed?.(last);
      return appended;
    } catch (error) {
      if (isTocsinError(error, 'TCN_FENCED')) term.depose('another recorder has begun a later epoch');
      throw error;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#stand(signal);
        this.#electionError = undefined;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== this.#electionError)
          this.parts.logger.warn({ err: error }, 'cannot stand for election to lead the log');
        this.#electionError = message;
      }
      await pause(POLL_MS * (0.75 + this.parts.random() / 2), signal);
    }
  }

  /** One try: returns at once where another one leads, else after the term. */
  async #stand(signal: AbortSignal): Promise<void> {
    const { succession } = this.parts;
    if (await succession?.mustYield()) return;
    const over = Promise.withResolvers<string>();
    const lost = { yet: false };
    const lock = await this.parts.acquire((error) => {
      lost.yet = true;
      this.#term = undefined;
      over.resolve(`the lock's connection died: ${error?.message ?? 'closed'}`);
    });
    if (lock === undefined) return succession?.standBy();
    const stop = (): void => over.resolve('stopping');
    signal.addEventListener('abort', stop, { once: true });
    try {
      await succession?.withdraw();
      const appender = await this.parts.takeOver();
      try {
        if (lost.yet || signal.aborted) return;
        await this.#lead(appender, over);
      } finally {
        this.#term = undefined;
        await appender.close();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await lock.release();
    }
  }

  async #lead(appender: TermAppender, over: PromiseWithResolvers<string>): Promise<void> {
    const { duties, logger } = this.parts;
    this.#electionError = undefined;
    this.#term = { appender, depose: over.resolve };
    logger.info({ epoch: appender.epoch }, 'leads the log');
    for (const duty of duties) duty.begin(this, appender.epoch);
    for (const listener of this.#onLeading) listener();
    const looking = setInterval(() => void this.#look(over), LOOK_MS);
    const reason = await over.promise;
    clearInterval(looking);
    this.#term = undefined;
    logger.info({ epoch: appender.epoch, reason }, 'no longer leads the log');
    await Promise.all(duties.map((duty) => duty.end()));
  }

  /** Ends the term where another recorder can be reached and this one cannot. */
  async #look(over: PromiseWithResolvers<string>): Promise<void> {
    try {
      if (await this.parts.succession?.mustYield())
        over.resolve('NATS is out of reach here, and another recorder has it');
    } catch (error) {
      // Without Postgres nobody can take over; the lock's own connection will tell.
      this.parts.logger.debug({ err: error }, 'cannot see who stands by');
    }
  }
}
