import { TocsinError } from '@tocsin/domain';
import { jetstreamManager, JetStreamApiError } from '@nats-io/jetstream';
import { TimeoutError, type NatsConnection } from '@nats-io/transport-node';
import { pause } from './waiting.js';

/** First server that keeps every stream setting used here; older ones drop what they do not know. */
const MIN_MAJOR = 2;
const MIN_MINOR = 12;
const RETRY_MS = 100;

/**
 * Is this a server the log can be relayed through? JetStream may need a moment after the server has started, or a leader
 * elected, so it is asked until `timeoutMs` milliseconds are over.
 * @throws TocsinError `TCN_NATS_UNSUITABLE`
 */
export async function requireSuitable(nats: NatsConnection, timeoutMs: number): Promise<void> {
  const version = nats.info?.version ?? 'unknown';
  if (!isRecent(version)) {
    const floor = `${MIN_MAJOR}.${MIN_MINOR}`;
    throw new TocsinError(
      'TCN_NATS_UNSUITABLE',
      `nats-server at ${nats.getServer()} is ${version}; at least ${floor} is needed`,
    );
  }
  const deadline = performance.now() + timeoutMs;
  const never = new AbortController().signal;
  for (;;) {
    try {
      await jetstreamManager(nats, { timeout: Math.max(RETRY_MS, deadline - performance.now()) });
      return;
    } catch (error) {
      const starting = error instanceof TimeoutError || (error instanceof JetStreamApiError && error.status === 503);
      if (!starting || performance.now() >= deadline) {
        throw new TocsinError('TCN_NATS_UNSUITABLE', `nats-server at ${nats.getServer()} offers no JetStream`, {
          cause: error,
        });
      }
      await pause(RETRY_MS, never);
    }
  }
}

function isRecent(version: string): boolean {
  const match = /^(\d+)\.(\d+)\./.exec(version);
  if (match === null) return false;
  const major = Number(match[1]);
  return major > MIN_MAJOR || (major === MIN_MAJOR && Number(match[2]) >= MIN_MINOR);
}
