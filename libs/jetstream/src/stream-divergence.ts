import { fromCloudEvent, type CloudEvent, type RecordedEvent } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import type { StreamInfo } from '@nats-io/jetstream';
import { brokerError } from './broker-error.js';
import { parseJson } from './envelope.js';
import type { Link } from './link.js';

/** The event in a message of the stream; undefined if it holds none, or another position than its sequence. */
export function eventIn(data: Uint8Array, sequence: number): RecordedEvent | undefined {
  const json = parseJson(data);
  if (typeof json !== 'object' || json === null || !('position' in json) || json.position !== sequence)
    return undefined;
  return fromCloudEvent(json as CloudEvent);
}

/** Are these the same recorded event? Its key and when it was recorded decide: two logs do not share both. */
export function sameEvent(one: RecordedEvent, other: RecordedEvent): boolean {
  return one.id === other.id && one.source === other.source && one.recordedAt === other.recordedAt;
}

/**
 * How the stream contradicts the log, undefined if it does not: it must not be ahead of the log, and its last message must be the log's
 * event at that position. Where that message has been dropped with age, there is nothing left that could be wrong.
 * @param head the log's last position, read after `info`
 */
export async function streamDiverges(
  link: Link,
  info: StreamInfo,
  head: number,
  read: (after: number, limit: number) => Promise<RecordedEvent[]>,
): Promise<string | undefined> {
  const last = info.state.last_seq;
  if (last > head) return `it is at ${last}, the log at ${head}`;
  if (info.state.messages === 0 || last === 0) return undefined;
  const message = await storedMessage(link, last);
  if (message === undefined) return undefined;
  const [event] = await read(last - 1, 1);
  const held = eventIn(message, last);
  if (event !== undefined && held !== undefined && sameEvent(event, held)) return undefined;
  return `at position ${last} they hold different events`;
}

async function storedMessage(link: Link, sequence: number): Promise<Uint8Array | undefined> {
  try {
    const message = await link.guard(link.manager.streams.getMessage(JETSTREAM.eventsStream, { seq: sequence }));
    return message?.data;
  } catch (error) {
    throw brokerError(`read stream ${JETSTREAM.eventsStream}`, error);
  }
}
