import type { ApiClient } from '@tocsin/client';
import { isTocsinError, type TocsinError } from '@tocsin/domain';
import { setTimeout as delay } from 'node:timers/promises';
import { withQuery } from '../server/query.js';
import type { ShownEvent } from './event-line.js';
import { readEventStream } from './event-stream.js';
import type { EventFilter } from './newest-events.js';

const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** The server says something every 15 s; three such silences, and the connection is dead without knowing it. */
const SILENCE_MS = 45_000;

/** How to follow the log. */
export interface TailOptions extends EventFilter {
  /** Events after this position. */
  after: number;
  signal: AbortSignal;
  /** Told when the connection is lost, and when it is there again. */
  onLost: (error: TocsinError) => void;
  onBack: () => void;
  /** Longest silence of a connection that lives, milliseconds. */
  silenceMs?: number;
}

/**
 * Every event after a position, as it is recorded, without a gap and without a repeat, over any number of lost connections, until the
 * signal aborts.
 * @throws TocsinError if the first connection does not come about, or the API refuses a later one for good
 */
export async function* tailEvents(
  client: Pick<ApiClient, 'open'>,
  options: TailOptions,
): AsyncGenerator<ShownEvent, void, undefined> {
  const { signal } = options;
  const path = withQuery('/v1/events/stream', {
    after: options.after,
    type: options.types,
    subject: options.subject,
  });
  let last = options.after;
  let connected = false;
  let lost = false;
  let waitMs = BACKOFF_MIN_MS;
  while (!signal.aborted) {
    const silence = new Silence(options.silenceMs ?? SILENCE_MS);
    const either = AbortSignal.any([signal, silence.signal]);
    try {
      const response = await client.open('GET', path, {
        headers: { accept: 'text/event-stream', 'last-event-id': String(last) },
        signal: either,
      });
      connected = true;
      if (lost) options.onBack();
      lost = false;
      for await (const { id, data } of readEventStream(silence.watching(response.body ?? nothing()))) {
        waitMs = BACKOFF_MIN_MS;
        const position = Number(id);
        if (Number.isSafeInteger(position) && position > last) last = position;
        else if (data !== undefined) continue;
        if (data !== undefined) yield JSON.parse(data) as ShownEvent;
      }
      if (signal.aborted) return;
      // The server ends streams when it stops; it is back soon, or its next one is.
    } catch (error) {
      if (signal.aborted) return;
      const temporary = !isTocsinError(error) || error.retryable;
      if (!connected || !temporary) throw error;
      if (!lost) options.onLost(error as TocsinError);
      lost = true;
    } finally {
      silence.end();
    }
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, BACKOFF_MAX_MS);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

/** Aborts when nothing was heard for a while. */
class Silence {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#abort.abort(), ms);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async *watching(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      this.#timer.refresh();
      yield chunk;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
