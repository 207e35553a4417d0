import { TocsinError } from '@tocsin/domain';
import type { LogFilter } from './bounded-page.js';
import type { LiveTail, TailStep } from './live-tail.js';

/** What the readers of a process share. */
export interface TailReadersOptions {
  tail: LiveTail;
  /** Where a reader starts that names no position: the end of the log. */
  head: () => Promise<number>;
  /** A reader gets a step at least so often, in milliseconds. */
  idleMs: number;
  /** Readers at a time; one more is told to come back. */
  maxReaders: number;
}

/** Sends the steps of one reader on until they end; `signal` aborts when the reader has gone or the process stops. */
export type TailConsumer = (steps: AsyncIterable<TailStep>, signal: AbortSignal) => Promise<void>;

/** Everybody who follows the log through this process, over HTTP or gRPC: so many at a time, and all end when the process stops. */
export class TailReaders {
  readonly #closing = new AbortController();
  #open = 0;

  constructor(private readonly options: TailReadersOptions) {}

  /**
   * Serves one reader; resolves when it is done.
   * @param gone aborts when the reader goes
   * @throws TocsinError `TCN_OVERLOADED` before `consume` was called; what the log or `consume` throw
   */
  async serve(
    wanted: LogFilter & { after?: number | undefined },
    gone: AbortSignal,
    consume: TailConsumer,
  ): Promise<void> {
    const { tail, idleMs, maxReaders } = this.options;
    if (this.#open >= maxReaders) {
      throw new TocsinError('TCN_OVERLOADED', `${this.#open} readers follow the log already`, { retryAfterMs: 5_000 });
    }
    this.#open += 1;
    try {
      const signal = AbortSignal.any([gone, this.#closing.signal]);
      const after = wanted.after ?? (await this.options.head());
      const { types, subject, labels } = wanted;
      await consume(tail.follow({ types, subject, labels, after, idleMs, signal }), signal);
    } finally {
      this.#open -= 1;
    }
  }

  /** Ends every reader after what it is being sent. */
  close(): void {
    this.#closing.abort();
  }
}
