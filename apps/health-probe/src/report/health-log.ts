import {
  appendReplySchema,
  HEALTH_PROBE_SOURCE,
  REGISTRY_EVENTS,
  RPC,
  STATE_TYPES,
  TARGET_FRESH,
  targetKindSchema,
  type AppendRequest,
  type Appended,
  type LatestRequest,
} from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { type Broker, latestReader } from '@tocsin/jetstream';

const typesOf = (...facts: string[]) =>
  targetKindSchema.options.flatMap((kind) => facts.map((fact) => `io.tocsin.${kind}.${fact}`));
const MAINTENANCE_TYPES = typesOf('maintenance-started', 'maintenance-ended');
const FLAPPING_TYPES = typesOf('flapping-started', 'flapping-stopped');
/** What begins a life of a target, and what says that its first verdict was `up`. */
const LIFE_TYPES = [REGISTRY_EVENTS.targetRegistered, TARGET_FRESH];

/** Appends go to the leader, which may just be changing. */
const APPEND_TIMEOUT_MS = 5_000;

/** Newest events of some subjects, and the version each subject is at. */
export interface Latest {
  events: Map<string, RecordedEvent>;
  versions: Record<string, number>;
}

/** The log, as the observer needs it. */
export interface HealthLog {
  append(request: AppendRequest): Promise<Appended[]>;
  /** Newest change of each subject `<kind>/<name>`, told or not. */
  latestStates(subjects: readonly string[]): Promise<Latest>;
  /** Newest beginning or end of flapping of a subject. */
  latestFlapping(subject: string): Promise<Latest>;
  /** Newest event of these types about a subject, whoever recorded it. */
  latestOf(subject: string, types: readonly string[]): Promise<Latest>;
  /** Newest beginning or end of maintenance of each subject. */
  latestMaintenance(subjects: readonly string[]): Promise<Latest>;
  /** Newest of registration and first verdict of each subject `target/<name>`. */
  latestLives(subjects: readonly string[]): Promise<Latest>;
}

/** The log behind the recorder's request/reply interface. */
export class BrokerLog implements HealthLog {
  readonly #broker: Broker;
  readonly #readLatest: ReturnType<typeof latestReader>;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#readLatest = latestReader(broker);
  }

  async append(request: AppendRequest): Promise<Appended[]> {
    const options = { schema: appendReplySchema, timeoutMs: APPEND_TIMEOUT_MS, bundled: true };
    return (await this.#broker.request(RPC.logAppend, request, options)).events;
  }

  latestStates(subjects: readonly string[]): Promise<Latest> {
    return this.#latest({ subjects: [...subjects], types: [...STATE_TYPES], source: HEALTH_PROBE_SOURCE });
  }

  latestFlapping(subject: string): Promise<Latest> {
    return this.#latest({ subjects: [subject], types: FLAPPING_TYPES, source: HEALTH_PROBE_SOURCE });
  }

  latestMaintenance(subjects: readonly string[]): Promise<Latest> {
    return this.#latest({ subjects: [...subjects], types: MAINTENANCE_TYPES, source: HEALTH_PROBE_SOURCE });
  }

  latestLives(subjects: readonly string[]): Promise<Latest> {
    return this.#latest({ subjects: [...subjects], types: LIFE_TYPES });
  }

  latestOf(subject: string, types: readonly string[]): Promise<Latest> {
    return this.#latest({ subjects: [subject], types: [...types] });
  }

  async #latest(request: LatestRequest): Promise<Latest> {
    const { events, versions } = await this.#readLatest(request);
    return { events: new Map(events.map((event) => [event.subject, event])), versions };
  }
}
