import { appendRequestSchema, latestRequestSchema, RPC, type AppendRequest, type Appended } from '@tocsin/contracts';
import { toCloudEvent, TocsinError, type RecordedEvent } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';

/** The recorder's contract in memory: compare, append, idempotent by key. Here it can be away, and can lose its answers. */
export class MemoryRecorder {
  readonly events: RecordedEvent[] = [];
  /** Answers of appends that are lost after the append. */
  losesAnswers = 0;
  #serving: Serving[] = [];

  start(broker: Broker): void {
    this.#serving = [
      broker.serve(RPC.logAppend, {
        schema: appendRequestSchema,
        bundled: true,
        handle: (request) => this.#append(request),
      }),
      broker.serve(RPC.logLatest, {
        schema: latestRequestSchema,
        handle: async ({ subjects, types, source }) => ({
          events: subjects.flatMap((subject) => {
            const newest = this.events.findLast(
              (event) =>
                event.subject === subject &&
                (types === undefined || types.includes(event.type)) &&
                (source === undefined || event.source === source),
            );
            return newest === undefined ? [] : [toCloudEvent(newest)];
          }),
          versions: Object.fromEntries(subjects.map((subject) => [subject, this.#version(subject)])),
        }),
      }),
    ];
  }

  async stop(): Promise<void> {
    await Promise.all(this.#serving.splice(0).map((serving) => serving.close()));
  }

  /** Facts about a target, in order: `offline`, `target.fresh` … */
  facts(name: string): string[] {
    return this.about(name).map((event) => event.type.replace(/^io\.tocsin\.(?:node\.)?/, ''));
  }

  about(name: string): RecordedEvent[] {
    return this.events.filter((event) => event.subject.endsWith(`/${name}`) && event.source === 'tocsin/health-probe');
  }

  record(event: Pick<RecordedEvent, 'type' | 'subject' | 'source'> & Partial<RecordedEvent>): RecordedEvent {
    const recorded: RecordedEvent = {
      id: `other-${this.events.length}`,
      time: new Date().toISOString(),
      extensions: {},
      ...event,
      position: this.events.length + 1,
      version: this.#version(event.subject) + 1,
      recordedAt: new Date().toISOString(),
    };
    this.events.push(recorded);
    return recorded;
  }

  async #append(request: AppendRequest): Promise<{ events: Appended[] }> {
    const known = (event: { source: string; id: string }) =>
      this.events.find((old) => old.source === event.source && old.id === event.id);
    // Before the append: it may have several events of one subject, and is recorded as a whole or not at all.
    const fresh = request.events.filter((event) => known(event) === undefined);
    for (const { subject } of fresh) {
      const expected = request.expect?.[subject];
      if (expected !== undefined && expected !== this.#version(subject)) {
        throw new TocsinError('TCN_VERSION_CONFLICT', `${subject} is at ${this.#version(subject)}`);
      }
    }
    const appended = request.events.map((event): Appended => {
      const there = known(event);
      if (there !== undefined) return { ...there, repeated: true };
      return { ...this.record({ ...event, extensions: event.extensions ?? {} } as RecordedEvent), repeated: false };
    });
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new TocsinError('TCN_TIMEOUT', 'the answer was lost');
    }
    return { events: appended };
  }

  #version(subject: string): number {
    return this.events.filter((event) => event.subject === subject).length;
  }
}
