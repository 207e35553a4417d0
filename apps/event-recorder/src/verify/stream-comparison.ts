import type { EventStore } from '@tocsin/contracts';
import { canonicalJson, type RecordedEvent } from '@tocsin/domain';
import {
  type Broker,
  eventSubject,
  eventsStreamWindow,
  readEventsStream,
  type StreamEntry,
  type StreamWindow,
} from '@tocsin/jetstream';
import type { StreamProof } from './log-verifier.js';

/** Events of the log in memory at a time, and their bytes, roughly. */
const PAGE_EVENTS = 500;
const PAGE_BYTES = 4 * 1024 * 1024;

/** Messages between two steps. */
const STEP_MESSAGES = 2_000;

/** How the relayed stream contradicts the log. */
export interface StreamFinding {
  /**
   * `stream-gap`: messages are missing; `stream-foreign`: a message is no event of its position; `stream-differs`: it is not the event
   * that the log has there; `stream-only`: the log has no such event (any more), or not yet.
   */
  kind: 'stream-gap' | 'stream-foreign' | 'stream-differs' | 'stream-only';
  /** Sequence of the message, which is the position of the event. */
  position: number;
  subject?: string;
  /** One sentence for people. */
  detail: string;
}

/** How far the comparison has come. */
export interface StreamStep {
  /** Everything up to here has been compared. */
  position: number;
  findings: StreamFinding[];
}

/**
 * Compares what the stream EVENTS retains now with the log; undefined where there is no stream.
 * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT`, from the first step on
 */
export async function relayedStream(
  broker: Broker,
  log: Pick<EventStore, 'read'>,
  options: { signal: AbortSignal },
): Promise<StreamProof | undefined> {
  const window = await eventsStreamWindow(broker);
  if (window === undefined) return undefined;
  const entries = readEventsStream(broker, { from: window.first, to: window.last, ...options });
  const first = async (): Promise<number> => (await eventsStreamWindow(broker))?.first ?? window.last + 1;
  return { ...window, steps: compareStream({ window, entries, log, first }) };
}

/** What is compared. */
export interface Comparison {
  /** What the stream held when the comparison began. */
  window: StreamWindow;
  /** Its messages, in order. */
  entries: AsyncIterable<StreamEntry>;
  log: Pick<EventStore, 'read'>;
  /** Oldest sequence the stream holds now: it forgets from the front while it is compared. */
  first: () => Promise<number>;
}

/** Compares every message that the stream retains with the event of the log at that position, content and place. */
export async function* compareStream(comparison: Comparison): AsyncGenerator<StreamStep, void, undefined> {
  const { window, entries, log, first } = comparison;
  const events = new LogCursor(log, window.first - 1);
  let position = window.first - 1;
  let findings: StreamFinding[] = [];
  let compared = 0;
  for await (const entry of entries) {
    const missing = await gap(position + 1, entry.sequence - 1, first);
    if (missing !== undefined) findings.push(missing);
    position = entry.sequence;
    const finding = compareEntry(entry, await events.at(position));
    if (finding !== undefined) findings.push(finding);
    compared += 1;
    if (compared % STEP_MESSAGES !== 0) continue;
    yield { position, findings };
    findings = [];
  }
  const missing = await gap(position + 1, window.last, first);
  if (missing !== undefined) findings.push(missing);
  yield { position: window.last, findings };
}

/** What is missing from `from` to `to`, without what the stream has forgotten by its limits. */
async function gap(from: number, to: number, first: () => Promise<number>): Promise<StreamFinding | undefined> {
  if (from > to) return undefined;
  const start = Math.max(from, await first());
  if (start > to) return undefined;
  const which = start === to ? `message ${start} is missing` : `messages ${start} to ${to} are missing`;
  return { kind: 'stream-gap', position: start, detail: `${which} in the stream` };
}

function compareEntry(entry: StreamEntry, recorded: RecordedEvent | undefined): StreamFinding | undefined {
  const { sequence: position, event } = entry;
  const message = `message ${position} of the stream`;
  if (event === undefined) {
    return { kind: 'stream-foreign', position, detail: `${message} holds no event of that position` };
  }
  if (recorded === undefined) {
    const which = `event "${event.id}" of "${event.source}"`;
    return { kind: 'stream-only', position, detail: `${message} is ${which}, and the log has no event ${position}` };
  }
  const different = differences(event, recorded);
  if (entry.subject !== eventSubject(recorded)) different.push('NATS subject');
  if (different.length === 0) return undefined;
  const detail = `${message} differs from event ${position} of the log in ${different.join(', ')}`;
  return { kind: 'stream-differs', position, subject: recorded.subject, detail };
}

/** Names of the attributes in which two events differ; everything that the hash of a leaf covers. */
function differences(one: RecordedEvent, other: RecordedEvent): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof RecordedEvent>;
  return [...names].filter((name) => canonicalJson({ value: one[name] }) !== canonicalJson({ value: other[name] }));
}

/** Events of the log by ascending position, a page in memory. */
class LogCursor {
  #page: RecordedEvent[] = [];
  #index = 0;

  constructor(
    private readonly log: Pick<EventStore, 'read'>,
    /** Everything up to here has been read. */
    private after: number,
  ) {}

  /** The event at a position, which must be greater than that of the last call; undefined where the log has none. */
  async at(position: number): Promise<RecordedEvent | undefined> {
    for (;;) {
      for (; this.#index < this.#page.length; this.#index += 1) {
        const event = this.#page[this.#index];
        if (event === undefined || event.position < position) continue;
        return event.position === position ? event : undefined;
      }
      if (this.after >= position) return undefined;
      const after = Math.max(this.after, position - 1);
      const page = await this.log.read({ after, limit: PAGE_EVENTS, maxBytes: PAGE_BYTES });
      this.#page = page.events;
      this.#index = 0;
      // Nothing there: the same question would be answered alike for this position.
      this.after = page.events.at(-1)?.position ?? position;
    }
  }
}
