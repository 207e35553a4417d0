import { setTimeout as delay } from 'node:timers/promises';
import { type Client, escapeIdentifier } from 'pg';
import { connect, type ConnectionOptions } from './connection.js';
import { ping } from './ping.js';

/** Waits between attempts to connect: doubling from the first to the last, milliseconds. */
const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5_000;
/** A connection that only listens never notices a silent cut by itself. */
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 5_000;

/** What {@link listen} takes. */
export interface ListenOptions extends ConnectionOptions {
  channel: string;
  /** Called with the payload of every notification, and with undefined after each reconnect: something may have been missed. */
  onNotify: (payload: string | undefined) => void;
  /** Told of every lost connection and failed attempt, for the log. */
  onError?: (error: unknown) => void;
}

/** A LISTEN in force. */
export interface Listening {
  close(): Promise<void>;
}

/**
 * LISTENs on a connection of its own and reconnects for ever, so notifications are hints that may be missed but never an end.
 * Resolves when the LISTEN is in force, or when the first attempt has failed and goes on in the background.
 */
export async function listen(options: ListenOptions): Promise<Listening> {
  const stop = new AbortController();
  const tried = Promise.withResolvers<void>();
  const loop = keepListening(options, stop.signal, tried.resolve);
  await tried.promise;
  return {
    async close() {
      stop.abort();
      await loop;
    },
  };
}

async function keepListening(options: ListenOptions, stop: AbortSignal, onTried: () => void): Promise<void> {
  let backoffMs = FIRST_BACKOFF_MS;
  let first = true;
  while (!stop.aborted) {
    try {
      const client = await connect(options);
      try {
        const ended = untilBroken(client, stop);
        client.on('notification', (message) => options.onNotify(message.payload ?? ''));
        await client.query(`LISTEN ${escapeIdentifier(options.channel)}`);
        backoffMs = FIRST_BACKOFF_MS;
        if (!first) options.onNotify(undefined);
        first = false;
        onTried();
        await ended;
      } finally {
        await client.end().catch(() => undefined);
      }
    } catch (error) {
      if (stop.aborted) break;
      options.onError?.(error);
      first = false;
      onTried();
      await delay(backoffMs, undefined, { signal: stop }).catch(() => undefined);
      backoffMs = Math.min(2 * backoffMs, LAST_BACKOFF_MS);
    }
  }
  onTried();
}

/** Resolves when `stop` is aborted, rejects when the connection breaks. */
function untilBroken(client: Client, stop: AbortSignal): Promise<void> {
  const broken = new Promise<void>((resolve, reject) => {
    if (stop.aborted) resolve();
    const ask = (): void => void ping(client, PING_TIMEOUT_MS).catch(reject);
    const timer = setInterval(ask, PING_INTERVAL_MS);
    timer.unref();
    const onStop = (): void => resolve();
    stop.addEventListener('abort', onStop, { once: true });
    client.on('error', reject);
    client.on('end', () => {
      clearInterval(timer);
      stop.removeEventListener('abort', onStop);
      reject(new Error('the connection was closed'));
    });
  });
  // Until somebody awaits it, a break must not count as unhandled.
  broken.catch(() => undefined);
  return broken;
}
