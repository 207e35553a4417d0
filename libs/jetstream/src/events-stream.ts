import { TocsinError } from '@tocsin/domain';
import { JETSTREAM } from '@tocsin/contracts';
import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { millis, nanos } from '@nats-io/transport-node';
import { API_ERROR, brokerError, isApiError } from './broker-error.js';
import type { Link } from './link.js';

/** What may be chosen about the stream EVENTS. It is a cache of the log: whatever it drops is read from the log instead. */
export interface EventsStreamOptions {
  /** Copies in the cluster. Default 1. */
  replicas?: number;
  /** Age at which the stream forgets an event, milliseconds. Default 7 days. */
  maxAgeMs?: number;
  /** Size at which the stream forgets its oldest events. Default 2 GiB: the server reserves it, and small disks must do. */
  maxBytes?: number;
}

const DAY_MS = 86_400_000;
/** The least the server takes. Nothing relies on it: events carry no `Nats-Msg-Id`. */
const DUPLICATE_WINDOW_MS = 100;

type Settings = Pick<
  StreamConfig,
  | 'name'
  | 'subjects'
  | 'retention'
  | 'storage'
  | 'discard'
  | 'max_msgs'
  | 'max_msgs_per_subject'
  | 'max_msg_size'
  | 'max_age'
  | 'max_bytes'
  | 'num_replicas'
  | 'duplicate_window'
  | 'deny_delete'
  | 'deny_purge'
  | 'allow_direct'
>;

function settingsOf(options: EventsStreamOptions): Settings {
  return {
    name: JETSTREAM.eventsStream,
    subjects: [`${JETSTREAM.eventsPrefix}.>`, `${JETSTREAM.withheldPrefix}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_msg_size: -1,
    max_age: nanos(options.maxAgeMs ?? 7 * DAY_MS),
    max_bytes: options.maxBytes ?? 2 * 1024 ** 3,
    num_replicas: options.replicas ?? 1,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
  };
}

/** The stream EVENTS, undefined where there is none. */
export async function findEventsStream(link: Link): Promise<StreamInfo | undefined> {
  try {
    return await link.guard(link.manager.streams.info(JETSTREAM.eventsStream));
  } catch (error) {
    if (isApiError(error, API_ERROR.streamNotFound)) return undefined;
    throw brokerError(`look at stream ${JETSTREAM.eventsStream}`, error);
  }
}

/**
 * Creates the stream EVENTS, the next message of which will have sequence `firstSequence`. Where somebody else was quicker, theirs is
 * returned.
 * @throws TocsinError `TCN_NATS_UNSUITABLE` naming a setting the server did not keep
 */
export async function createEventsStream(
  link: Link,
  options: EventsStreamOptions,
  firstSequence: number,
): Promise<StreamInfo> {
  const wanted = settingsOf(options);
  try {
    const made = await link.guard(link.manager.streams.add({ ...wanted, first_seq: firstSequence }));
    // At or beyond it: a rival with the same settings was quicker and may have begun to fill it.
    if (made.state.last_seq < firstSequence - 1) throw notKept(['first_seq']);
    return requireSettings(made, wanted);
  } catch (error) {
    const rival = isApiError(error, API_ERROR.streamNameInUse) ? await findEventsStream(link) : undefined;
    if (rival !== undefined) return rival;
    throw refusedSettings(`create stream ${JETSTREAM.eventsStream}`, error);
  }
}

/**
 * Brings a stream that is there to the settings wanted here.
 * @throws TocsinError `TCN_NATS_UNSUITABLE` naming a setting that cannot be changed or was not kept
 */
export async function alignEventsStream(
  link: Link,
  options: EventsStreamOptions,
  found: StreamInfo,
): Promise<StreamInfo> {
  const wanted = settingsOf(options);
  if (differences(found, wanted).length === 0) return found;
  try {
    const { name, ...changes } = wanted;
    return requireSettings(await link.guard(link.manager.streams.update(name, changes)), wanted);
  } catch (error) {
    throw refusedSettings(`bring stream ${JETSTREAM.eventsStream} to its settings`, error);
  }
}

/** Removes the stream; everything in it stands in the log. */
export async function deleteEventsStream(link: Link): Promise<void> {
  try {
    await link.guard(link.manager.streams.delete(JETSTREAM.eventsStream));
  } catch (error) {
    if (!isApiError(error, API_ERROR.streamNotFound)) throw brokerError(`delete ${JETSTREAM.eventsStream}`, error);
  }
}

/** The server's own word on what it does not take: more copies than servers, more bytes than disk, another storage than there is. */
function refusedSettings(doing: string, error: unknown): TocsinError {
  if (!(error instanceof JetStreamApiError) || error.status === 503) return brokerError(doing, error);
  return new TocsinError('TCN_NATS_UNSUITABLE', `nats-server refuses to ${doing}: ${error.message}`, { cause: error });
}

function requireSettings(info: StreamInfo, wanted: Settings): StreamInfo {
  const wrong = differences(info, wanted);
  if (wrong.length > 0) throw notKept(wrong);
  return info;
}

function differences(info: StreamInfo, wanted: Settings): string[] {
  return (Object.keys(wanted) as (keyof Settings)[]).filter((name) => {
    const have = info.config[name];
    // Nanoseconds come back exact, but are only ever meant to the millisecond.
    if (typeof have === 'number' && (name === 'max_age' || name === 'duplicate_window')) {
      return millis(have) !== millis(wanted[name]);
    }
    return JSON.stringify(have) !== JSON.stringify(wanted[name]);
  });
}

function notKept(names: string[]): TocsinError {
  const settings = names.map((name) => `"${name}"`).join(', ');
  return new TocsinError(
    'TCN_NATS_UNSUITABLE',
    `nats-server did not keep ${settings} of stream ${JETSTREAM.eventsStream}`,
  );
}
