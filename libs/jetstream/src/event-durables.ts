import { JETSTREAM } from '@tocsin/contracts';
import { TocsinError, type JsonObject } from '@tocsin/domain';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type ConsumerConfig,
  type ConsumerInfo,
} from '@nats-io/jetstream';
import { millis, nanos } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import { API_ERROR, brokerError, isApiError } from './broker-error.js';
import { DurableReader } from './durable-reader.js';
import { findEventsStream } from './events-stream.js';
import type { Link } from './link.js';
import { linkOf } from './link-registry.js';

/** How the stream EVENTS stands. */
export interface EventsStreamState {
  /** When it was made: another time means another stream, refilled from the log. */
  createdAt: string;
  /** First position it holds, or will hold. */
  first: number;
  /** Last position it holds; `first - 1` while it is empty. */
  last: number;
  /** Copies of it in the cluster. */
  replicas: number;
}

/** What is chosen about a durable. */
export interface DurableSettings {
  name: string;
  /** See {@link eventFilters}. */
  filters: readonly string[];
  /** Milliseconds after which a message that is neither acknowledged nor worked on is delivered again. */
  ackWaitMs: number;
  /** Messages delivered and not acknowledged at a time; no more are delivered beyond that. */
  maxUnacked: number;
}

/** How a durable stands. */
export interface DurableState {
  /** Everything it wants up to this position has been acknowledged. */
  acked: number;
  /** Last position delivered to anybody. */
  delivered: number;
  /** Messages delivered and not acknowledged. */
  unacked: number;
  /** Positions after `after` up to `until` are not to be had from the stream; its consumer reads them from the log. */
  behind: { after: number; until: number } | undefined;
}

/** A durable as it is kept outside of the broker: enough to make it again. */
export interface SavedDurable {
  name: string;
  acked: number;
  /** Its configuration, as the server gives it. */
  config: JsonObject;
}

/** In the metadata of a durable: `after-until`, see {@link DurableState.behind}. */
const BEHIND = 'tocsin.behind';

/** Durable pull consumers of the stream EVENTS: made, looked at, read, and made again after the broker has lost them. */
export class EventDurables {
  readonly #link: Link;

  constructor(broker: Broker) {
    this.#link = linkOf(broker);
  }

  /** Resolves once there is a connection, after `timeoutMs` milliseconds, or at `signal`; true if there is one. */
  whenConnected(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#link.whenConnected(timeoutMs, signal);
  }

  /**
   * How the stream stands; undefined where there is none (yet).
   * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT`, as everything here
   */
  async stream(): Promise<EventsStreamState | undefined> {
    const info = await findEventsStream(this.#link);
    if (info === undefined) return undefined;
    const { created: createdAt, state, config } = info;
    return { createdAt, first: state.first_seq, last: state.last_seq, replicas: config.num_replicas };
  }

  /** How a durable stands; undefined where there is none, or no stream. */
  async find(name: string): Promise<DurableState | undefined> {
    try {
      return stateOf(await this.#link.guard(this.#link.manager.consumers.info(JETSTREAM.eventsStream, name)));
    } catch (error) {
      if (isApiError(error, API_ERROR.consumerNotFound) || isApiError(error, API_ERROR.streamNotFound))
        return undefined;
      throw brokerError(`look at durable ${name}`, error);
    }
  }

  /** Makes a durable that begins after a position. Where somebody else was quicker, theirs is returned. */
  async create(settings: DurableSettings, after: number): Promise<DurableState> {
    const stream = await this.stream();
    if (stream === undefined)
      throw new TocsinError('TCN_UNAVAILABLE', `there is no stream ${JETSTREAM.eventsStream} yet`);
    return this.#add(settings.name, { ...configOf(settings), durable_name: settings.name }, after, stream);
  }

  /** Brings a durable to its settings. */
  async align(settings: DurableSettings): Promise<void> {
    const { name } = settings;
    await this.#call(`change durable ${name}`, async () => {
      const { config } = await this.#link.manager.consumers.info(JETSTREAM.eventsStream, name);
      const filters = config.filter_subjects ?? (config.filter_subject === undefined ? [] : [config.filter_subject]);
      const same =
        filters.toSorted().join(' ') === settings.filters.toSorted().join(' ') &&
        millis(config.ack_wait ?? 0) === settings.ackWaitMs &&
        config.max_ack_pending === settings.maxUnacked;
      if (!same) await this.#link.manager.consumers.update(JETSTREAM.eventsStream, name, configOf(settings));
    });
  }

  /** Notes in the durable what its consumer still has to read from the log; undefined: nothing. */
  async note(name: string, behind: DurableState['behind']): Promise<void> {
    const value = behind === undefined ? '' : `${behind.after}-${behind.until}`;
    await this.#call(`change durable ${name}`, () =>
      this.#link.manager.consumers.update(JETSTREAM.eventsStream, name, { metadata: { [BEHIND]: value } }),
    );
  }

  /** Begins to read a durable. */
  read(name: string, maxMessages: number, signal: AbortSignal): Promise<DurableReader> {
    return DurableReader.open(this.#link, name, maxMessages, signal);
  }

  /** Every durable of the stream, as it is to be kept. */
  async list(): Promise<SavedDurable[]> {
    const saved: SavedDurable[] = [];
    await this.#call('list durables', async () => {
      const { state } = await this.#link.manager.streams.info(JETSTREAM.eventsStream);
      for await (const info of this.#link.manager.consumers.list(JETSTREAM.eventsStream)) {
        if (info.config.durable_name === undefined) continue;
        saved.push({ name: info.name, acked: ackedOf(info, state.last_seq), config: plain(info.config) });
      }
    });
    return saved;
  }

  /** Makes a durable again, as it was, to go on after what it had acknowledged. */
  async restore({ name, config, acked }: SavedDurable, stream: EventsStreamState): Promise<DurableState> {
    const { deliver_policy: _policy, opt_start_time: _time, metadata, ...kept } = config as Partial<ConsumerConfig>;
    const own = Object.entries(metadata ?? {}).filter(([key]) => !key.startsWith('_nats.'));
    return this.#add(name, { ...kept, metadata: Object.fromEntries(own) }, acked, stream);
  }

  async #add(
    name: string,
    config: Partial<ConsumerConfig>,
    after: number,
    stream: EventsStreamState,
  ): Promise<DurableState> {
    const behind = after + 1 < stream.first ? `${after}-${stream.first - 1}` : '';
    try {
      const adding = this.#link.manager.consumers.add(JETSTREAM.eventsStream, {
        ...config,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(after + 1, stream.first),
        metadata: { ...config.metadata, [BEHIND]: behind },
      });
      return stateOf(await this.#link.guard(adding));
    } catch (error) {
      const theirs = error instanceof JetStreamApiError ? await this.find(name) : undefined;
      if (theirs !== undefined) return theirs;
      throw brokerError(`make durable ${name}`, error);
    }
  }

  async #call(doing: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await this.#link.guard(work());
    } catch (error) {
      throw brokerError(doing, error);
    }
  }
}

function configOf({ filters, ackWaitMs, maxUnacked }: DurableSettings): Partial<ConsumerConfig> {
  return {
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: maxUnacked,
    filter_subjects: [...filters],
  };
}

function stateOf(info: ConsumerInfo): DurableState {
  return {
    acked: info.ack_floor.stream_seq,
    delivered: info.delivered.stream_seq,
    unacked: info.num_ack_pending,
    behind: behindIn(info.config.metadata),
  };
}

/**
 * Up to where nothing needs to be done again. With nothing delivered and nothing to deliver, a durable has seen the whole stream, whatever
 * of it it wanted. What its consumer still reads from the log comes before all that.
 */
function ackedOf(info: ConsumerInfo, last: number): number {
  const floor = info.ack_floor.stream_seq;
  const seen = info.num_pending === 0 && info.num_ack_pending === 0 ? Math.max(floor, last) : floor;
  return Math.min(seen, behindIn(info.config.metadata)?.after ?? seen);
}

function behindIn(metadata: Record<string, string> | undefined): DurableState['behind'] {
  const match = /^(\d+)-(\d+)$/.exec(metadata?.[BEHIND] ?? '');
  return match === null ? undefined : { after: Number(match[1]), until: Number(match[2]) };
}

function plain(config: ConsumerConfig): JsonObject {
  return JSON.parse(JSON.stringify(config)) as JsonObject;
}
