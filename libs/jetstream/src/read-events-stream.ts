import { JETSTREAM } from '@tocsin/contracts';
import { type RecordedEvent, TocsinError } from '@tocsin/domain';
import { DeliverPolicy } from '@nats-io/jetstream';
import type { Broker } from './broker.js';
import { findEventsStream } from './events-stream.js';
import { linkOf } from './link-registry.js';
import { eventIn } from './stream-divergence.js';
import { StreamReader } from './stream-reader.js';

/** What the stream EVENTS holds now. */
export interface StreamWindow {
  /** Sequence of the oldest message; one more than `last` where there is none. */
  first: number;
  /** Sequence of the newest message, also where it has been dropped meanwhile; 0 where there never was one. */
  last: number;
}

/** One message of the stream EVENTS. */
export interface StreamEntry {
  sequence: number;
  /** NATS subject it was published under. */
  subject: string;
  /** The event in it; undefined where it holds none, or one of another position than its sequence. */
  event: RecordedEvent | undefined;
}

const TAKE_MESSAGES = 500;
const TAKE_BYTES = 1024 * 1024;
/** Silence while more is there, milliseconds: the reader's own heartbeats end it sooner where the connection is gone. */
const SILENCE_MS = 10_000;

/**
 * What the stream EVENTS holds; undefined where there is no stream.
 * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT`
 */
export async function eventsStreamWindow(broker: Broker): Promise<StreamWindow | undefined> {
  const link = linkOf(broker);
  if (!link.connected) throw new TocsinError('TCN_UNAVAILABLE', 'there is no connection to NATS');
  const stream = await findEventsStream(link);
  return stream === undefined ? undefined : { first: stream.state.first_seq, last: stream.state.last_seq };
}

/**
 * Every message of the stream EVENTS with a sequence from `from` to `to` that is there, in order, as it is: nothing is left out or put
 * right. Holds a bounded number of them at a time, whatever the size of the stream.
 * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` (also when aborted)
 */
export async function* readEventsStream(
  broker: Broker,
  options: { from: number; to: number; signal: AbortSignal },
): AsyncGenerator<StreamEntry, void, undefined> {
  const { from, to, signal } = options;
  const start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, from) };
  const reader = await StreamReader.open(linkOf(broker), JETSTREAM.eventsStream, start, signal);
  try {
    let left = reader.initialPending;
    while (left > 0) {
      const messages = await reader.take(TAKE_MESSAGES, TAKE_BYTES, SILENCE_MS);
      if (messages.length === 0) {
        throw new TocsinError('TCN_TIMEOUT', `NATS: stream ${JETSTREAM.eventsStream} has fallen silent`);
      }
      for (const { sequence, subject, data, pending } of messages) {
        if (sequence > to) return;
        yield { sequence, subject, event: eventIn(data, sequence) };
        left = sequence === to ? 0 : pending;
      }
    }
  } finally {
    reader.close();
  }
}
