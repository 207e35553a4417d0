import type { KeyValueEntry } from './key-value.js';
import type { Link } from './link.js';
import type { StreamMessage, StreamReader } from './stream-reader.js';
import { Backoff, pause } from './waiting.js';

export interface WatchOptions {
  /** An entry that is there, or has been put. */
  onPut: (entry: KeyValueEntry) => void | Promise<void>;
  /** An entry is gone: deleted or expired. May be told of keys that were never put. */
  onDelete: (key: string) => void | Promise<void>;
  /** Everything that was there at the start (or at a reset) has been told. What was known and not told again is gone. */
  onSynced?: () => void | Promise<void>;
  /** Changes may have been missed, or the bucket is a new one: everything that is there is told again, then `onSynced` comes. */
  onReset?: () => void | Promise<void>;
  /** Told of every interruption and of what the listeners throw. The watch carries on from the start by itself. */
  onError?: (error: unknown) => void;
}

/** A watch that runs until closed. */
export interface Watch {
  /** Ends it; resolves when no listener runs any more. */
  close(): Promise<void>;
}

/** A change as the bucket's stream tells it. */
export type Change = { kind: 'put'; entry: KeyValueEntry } | { kind: 'delete'; key: string };

const MAX_BATCH_MESSAGES = 500;
const MAX_BATCH_BYTES = 1024 * 1024;
const IDLE_MS = 60_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;

/** The bucket as its watch sees it. */
export interface WatchedBucket {
  link: Link;
  /** Makes sure that the bucket exists and reads the last entry of each key, then what follows. */
  open: (signal: AbortSignal) => Promise<StreamReader>;
  changeIn: (message: StreamMessage) => Change | undefined;
}

/** Watches a bucket until closed. */
export function watchBucket(options: WatchOptions, bucket: WatchedBucket): Watch {
  const abort = new AbortController();
  const running = run();
  return {
    close: () => {
      abort.abort();
      return running;
    },
  };

  async function run(): Promise<void> {
    const { signal } = abort;
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS, Math.random);
    let begun = false;
    while (!signal.aborted) {
      try {
        if (!(await bucket.link.whenConnected(MAX_RETRY_MS, signal))) continue;
        const reader = await bucket.open(signal);
        if (begun) await options.onReset?.();
        begun = true;
        await tell(reader, signal, backoff);
      } catch (error) {
        if (signal.aborted) break;
        options.onError?.(error);
        await pause(backoff.next(), signal);
      }
    }
  }

  async function tell(reader: StreamReader, signal: AbortSignal, backoff: Backoff): Promise<void> {
    try {
      let initial = reader.initialPending;
      if (initial === 0) await options.onSynced?.();
      while (!signal.aborted) {
        for (const message of await reader.take(MAX_BATCH_MESSAGES, MAX_BATCH_BYTES, IDLE_MS)) {
          if (signal.aborted) return;
          const change = bucket.changeIn(message);
          if (change?.kind === 'put') await options.onPut(change.entry);
          else if (change !== undefined) await options.onDelete(change.key);
          if (--initial === 0) await options.onSynced?.();
          backoff.reset();
        }
      }
    } finally {
      reader.close();
    }
  }
}
