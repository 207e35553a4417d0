import type { AppendRequest, Appended } from '@tocsin/contracts';
import { TocsinError, type RecordedEvent } from '@tocsin/domain';
import type { HealthLog, Latest } from '../report/health-log.js';

/** The log as a ledger of facts sees it: compares versions, knows repeats; it can be away, lose an answer, and have others write to it. */
export class MemoryLog implements Pick<HealthLog, 'append' | 'latestOf'> {
  readonly events: RecordedEvent[] = [];
  away = false;
  losesAnswer = false;
  /** Requests refused while it was away, and appends that were there already. */
  refused = 0;
  repeated = 0;
  /** Done once, before the next append. */
  rival: (() => void) | undefined;

  record(event: Pick<RecordedEvent, 'type' | 'subject'> & Partial<RecordedEvent>): RecordedEvent {
    const recorded: RecordedEvent = {
      id: `other-${this.events.length}`,
      source: 'tocsin/health-probe',
      time: new Date(0).toISOString(),
      extensions: {},
      ...event,
      position: this.events.length + 1,
      version: this.#version(event.subject) + 1,
      recordedAt: new Date(0).toISOString(),
    };
    this.events.push(recorded);
    return recorded;
  }

  append({ events, expect }: AppendRequest): Promise<Appended[]> {
    if (this.away) return this.#refuse();
    const { rival } = this;
    this.rival = undefined;
    rival?.();
    const there = events.flatMap(({ id }) => this.events.find((old) => old.id === id) ?? []);
    if (there.length === events.length) {
      this.repeated += 1;
      return Promise.resolve(there.map((old) => ({ ...old, repeated: true })));
    }
    for (const [subject, version] of Object.entries(expect ?? {})) {
      if (version !== this.#version(subject)) {
        return Promise.reject(new TocsinError('TCN_VERSION_CONFLICT', `${subject} is at ${this.#version(subject)}`));
      }
    }
    const appended = events.map((event) =>
      this.record({ ...event, extensions: event.extensions ?? {} } as RecordedEvent),
    );
    if (this.losesAnswer) {
      this.losesAnswer = false;
      return Promise.reject(new TocsinError('TCN_TIMEOUT', 'the answer was lost'));
    }
    return Promise.resolve(appended.map((event) => ({ ...event, repeated: false })));
  }

  latestOf(subject: string, types: readonly string[]): Promise<Latest> {
    if (this.away) return this.#refuse();
    const newest = this.events.findLast((event) => event.subject === subject && types.includes(event.type));
    return Promise.resolve({
      events: new Map(newest === undefined ? [] : [[subject, newest]]),
      versions: { [subject]: this.#version(subject) },
    });
  }

  #refuse(): Promise<never> {
    this.refused += 1;
    return Promise.reject(new TocsinError('TCN_UNAVAILABLE', 'the recorder is away'));
  }

  #version(subject: string): number {
    return this.events.filter((event) => event.subject === subject).length;
  }
}
