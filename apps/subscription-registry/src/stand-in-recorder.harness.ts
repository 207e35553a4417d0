import {
  type Appended,
  appendPartSchema,
  appendRequestSchema,
  type AppendRequest,
  latestRequestSchema,
  readRequestSchema,
  RPC,
} from '@tocsin/contracts';
import { type EventToAppend, type RecordedEvent, toCloudEvent, TocsinError } from '@tocsin/domain';
import { type Broker, PartGatherer, RelayPublisher, type Serving } from '@tocsin/jetstream';

/**
 * Plays the event recorder over a real broker, with the log in memory: for specs that need it to fail at a chosen moment. Specs of
 * what the two do together run against the real one.
 */
export class StandInRecorder {
  readonly events: RecordedEvent[] = [];
  /** Called for each append before it is decided; what it throws is the answer. */
  beforeAppend: (request: AppendRequest) => Promise<void> = async () => undefined;
  /** Called for each append after it was recorded; what it throws is the answer. */
  afterAppend: (request: AppendRequest) => Promise<void> = async () => undefined;
  readonly #versions = new Map<string, number>();
  readonly #broker: Broker;
  readonly #relay: RelayPublisher;
  #serving: Serving[] = [];

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#relay = new RelayPublisher({
      broker,
      read: async (after, limit) => this.events.slice(after, after + limit),
      head: async () => this.events.length,
      clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
      random: Math.random,
      divergence: 'rebuild',
    });
  }

  start(): void {
    this.#relay.start();
    const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
    const gatherer = new PartGatherer((request) => this.#answer(request), clock);
    this.#serving = [
      this.#broker.serve(RPC.logAppend, {
        queue: 'append-leader',
        schema: appendRequestSchema,
        bundled: true,
        handle: async (request) => ({ events: await this.#answer(request) }),
      }),
      this.#broker.serve(RPC.logAppendPart, {
        queue: 'append-leader',
        schema: appendPartSchema,
        handle: (part) => gatherer.take(part),
      }),
      this.#broker.serve(RPC.logRead, {
        queue: 'event-recorder',
        schema: readRequestSchema,
        handle: async ({ after, limit }) => ({
          events: this.events.slice(after, after + limit).map(toCloudEvent),
          next: Math.min(after + limit, this.events.length),
          head: this.events.length,
        }),
      }),
      this.#broker.serve(RPC.logLatest, {
        queue: 'event-recorder',
        schema: latestRequestSchema,
        handle: async ({ subjects, types, source }) => {
          const newest = subjects.flatMap(
            (subject) =>
              this.events.findLast(
                (event) =>
                  event.subject === subject &&
                  (types === undefined || types.includes(event.type)) &&
                  (source === undefined || event.source === source),
              ) ?? [],
          );
          return {
            events: newest.map(toCloudEvent),
            versions: Object.fromEntries(subjects.map((subject) => [subject, this.#versions.get(subject) ?? 0])),
          };
        },
      }),
    ];
  }

  /** Ends what {@link beforeAppend} and {@link afterAppend} were told to do. */
  mend(): void {
    this.beforeAppend = async () => undefined;
    this.afterAppend = async () => undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#serving.map((serving) => serving.close()));
    this.#serving = [];
    await this.#relay.stop();
  }

  async #answer(request: AppendRequest): Promise<Appended[]> {
    await this.beforeAppend(request);
    const events = this.append(request);
    await this.afterAppend(request);
    return events;
  }

  /** Appends as another service would. */
  append(request: AppendRequest): Appended[] {
    const known = request.events.map((event) =>
      this.events.find(({ source, id }) => source === event.source && id === event.id),
    );
    if (known.every((event) => event !== undefined)) return known.map((event) => appended(event, true));
    for (const [subject, version] of Object.entries(request.expect ?? {})) {
      const actual = this.#versions.get(subject) ?? 0;
      if (actual === version) continue;
      throw new TocsinError('TCN_VERSION_CONFLICT', `${subject} is at version ${actual}, not ${version}`);
    }
    const recorded = request.events.map((event) => this.#record(event));
    this.#relay.notify(this.events.length);
    return recorded.map((event) => appended(event, false));
  }

  #record(event: EventToAppend): RecordedEvent {
    const version = (this.#versions.get(event.subject) ?? 0) + 1;
    this.#versions.set(event.subject, version);
    const recorded: RecordedEvent = {
      ...event,
      extensions: event.extensions ?? {},
      position: this.events.length + 1,
      version,
      recordedAt: new Date().toISOString(),
    };
    this.events.push(recorded);
    return recorded;
  }
}

function appended({ id, position, version, recordedAt }: RecordedEvent, repeated: boolean): Appended {
  return { id, position, version, recordedAt, repeated };
}
