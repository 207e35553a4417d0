import { TocsinError } from '@tocsin/domain';
import { jetstreamManager, JetStreamApiError } from '@nats-io/jetstream';
import { TimeoutError, type NatsConnection } from '@nats-io/transport-node';
import { pause } from './waiting.js';

/** First server that keeps every stream setting used here; older ones drop what they do not know. */
const MIN_MAJOR = 2;
const MIN_MINOR = 12;
const RETRY_MS = 100;
/** A cluster without a leader drops what it is asked, so the question is put again. */
const TRY_MS = 1_000;

/**
 * Is this a server the log can be relayed through? JetStream may need a moment after the server has started, or a leader
 * elected, so it is asked until `timeoutMs` milliseconds are over.
 * @throws TocsinError `TCN_NATS_UNSUITABLE`; `TCN_NATS_UNREACHABLE` if JetStream does not answer in time
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
      await jetstreamManager(nats, { timeout: TRY_MS });
      return;
    } catch (error) {
      const starting = error instanceof TimeoutError || (error instanceof JetStreamApiError && error.status === 503);
      const where = `nats-server at ${nats.getServer()}`;
      if (!starting) throw new TocsinError('TCN_NATS_UNSUITABLE', `${where} offers no JetStream`, { cause: error });
      if (performance.now() >= deadline) {
        throw new TocsinError('TCN_NATS_UNREACHABLE', `JetStream of ${where} does not answer`, { cause: error });
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
