import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { TailStep } from './live-tail.js';

/** How a stream behaves in time, in milliseconds. */
export interface EventStreamTimes {
  /** A comment is sent when nothing else was for so long, so that proxies and readers see that the stream lives. */
  heartbeatMs: number;
  /** A reader that takes nothing for so long is cut; it resumes with `Last-Event-ID`. */
  stallMs: number;
}

export const DEFAULT_STREAM_TIMES: EventStreamTimes = { heartbeatMs: 15_000, stallMs: 60_000 };

/** What a stream works with. */
export interface EventStreamOptions {
  clock: Clock;
  logger: Logger;
  times: EventStreamTimes;
}

/**
 * Writes the steps of a reader as Server-Sent Events (HTML Living Standard § 9.2) until they end or the reader goes. Takes the next
 * step only when the socket has taken the last one: nothing is buffered beyond one step.
 *
 * A heartbeat carries the position looked at so far as `id`, so that a reader whose filter seldom matches does not search the
 * same stretch again when it resumes.
 */
export async function writeEventStream(
  response: ServerResponse,
  steps: AsyncIterable<TailStep>,
  options: EventStreamOptions & { signal: AbortSignal },
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies of the nginx family buffer whole responses otherwise.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  try {
    if (await writeSteps(response, steps, options)) response.end();
    else response.destroy();
  } catch (error) {
    // The reader resumes by itself; a break must not look like an end in good order.
    options.logger.warn({ err: error }, 'an event stream broke off');
    response.destroy();
  }
}

/** False if the reader stalled. */
async function writeSteps(
  response: ServerResponse,
  steps: AsyncIterable<TailStep>,
  { clock, times, signal }: EventStreamOptions & { signal: AbortSignal },
): Promise<boolean> {
  let lastMs = clock.monotonicMs();
  for await (const step of steps) {
    if (response.writableEnded || response.destroyed) return true;
    const idle = clock.monotonicMs() - lastMs >= times.heartbeatMs;
    if (step.events.length === 0 && !idle) continue;
    lastMs = clock.monotonicMs();
    if (!response.write(textOf(step)) && !(await drains(response, times.stallMs, signal))) return signal.aborted;
  }
  return true;
}

function textOf({ events, position }: TailStep): string {
  if (events.length === 0) return `: heartbeat\nid: ${position}\n\n`;
  return events.map(({ event, json }) => `id: ${event.position}\nevent: ${event.type}\ndata: ${json}\n\n`).join('');
}

/** Does the socket take what was written within `ms`? */
async function drains(response: ServerResponse, ms: number, signal: AbortSignal): Promise<boolean> {
  const done = new AbortController();
  const either = AbortSignal.any([done.signal, signal]);
  try {
    return await Promise.race([
      once(response, 'drain', { signal: either }).then(() => true),
      delay(ms, false, { signal: either }),
    ]);
  } catch {
    // The reader has gone, or the service is stopping.
    return false;
  } finally {
    done.abort();
  }
}
