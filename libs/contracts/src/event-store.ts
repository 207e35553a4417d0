import type { RecordedEvent } from '@tocsin/domain';
import type { AppendRequest, Appended, LatestRequest, ReadRequest } from './rpc.js';

/** Which events to read. Bounds and filters all hold together. */
export interface ReadQuery extends Omit<ReadRequest, 'after'> {
  /** Events with a position greater than this. Default 0: from the start. */
  after?: number;
  /** Events with a position lower than this. Default: no bound. */
  before?: number;
  /** `backward` gives the newest first. Default `forward`. */
  direction?: 'forward' | 'backward';
  /** Recorded at this time or later, RFC 3339. Recording times never run backward in the log, so this is a position too. */
  since?: string;
  /** Recorded before this time, RFC 3339. */
  until?: string;
  /** A page ends before it grows over this many bytes of JSON, roughly; it always holds at least one event. Default 4 MiB. */
  maxBytes?: number;
}

/** A page of the log. */
export interface ReadPage {
  /** In the order asked for. */
  events: RecordedEvent[];
  /** The bound to ask with next: `after` when reading forward, `before` when reading backward (1: nothing is left). */
  next: number;
  /** Last position of the log when the page was read. */
  head: number;
}

/** The newest event of each of some subjects. */
export interface LatestAnswer {
  /** At most one a subject, the newest that matches, in order of position. */
  events: RecordedEvent[];
  /** Current version of every subject asked for; 0 where it has none. */
  versions: Record<string, number>;
}

/** The append-only log, as those who use it see it. */
export interface EventStore {
  /**
   * Appends all events of the request or none; answers in their order when they are durable. (source, id) makes it safe to repeat.
   * @throws TocsinError `TCN_VERSION_CONFLICT` (an expected version does not hold), `TCN_KEY_REUSED` (same source and id, other
   * content), `TCN_INVALID`; to be retried as it is: `TCN_OVERLOADED`, `TCN_FENCED`, `TCN_UNAVAILABLE` (it may have been recorded)
   */
  append(request: AppendRequest): Promise<Appended[]>;
  /** One page of events by position. */
  read(query: ReadQuery): Promise<ReadPage>;
  /** One event by its position, its id, or its webhook key; undefined if there is none. */
  get(positionOrId: number | string): Promise<RecordedEvent | undefined>;
  /** The newest event and the version of each of some subjects. */
  latest(request: LatestRequest): Promise<LatestAnswer>;
  /** Last position of the log; 0 while it is empty. */
  head(): Promise<number>;
}
