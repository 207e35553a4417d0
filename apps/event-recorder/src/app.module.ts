import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { Appender, LOG_CHANNEL, LOG_DATABASE, PostgresLog, RecentEvents } from '@tocsin/event-store';
import { type Broker, EventDurables, RelayPublisher } from '@tocsin/jetstream';
import { API_DESCRIPTION, type ServiceContext } from '@tocsin/platform';
import { Database, type DatabaseOptions, listen } from '@tocsin/postgres';
import { AppendGate } from './append/append-gate.js';
import { AppendLeader } from './append/append-leader.js';
import { AppendRpc } from './append/append-rpc.js';
import { leaderLock, standbyLock } from './append/leader-lock.js';
import { LogGauges } from './append/log-gauges.js';
import { LogWriter } from './append/log-writer.js';
import { Succession } from './append/succession.js';
import type { EventRecorderConfig } from './config.js';
import { DurableMirror } from './durables/durable-mirror.js';
import { DurableTable, RememberDurables1767312000000 } from './durables/durable-table.js';
import { FLEET_API } from './fleet/fleet-api.js';
import { FleetController } from './fleet/fleet.controller.js';
import { fleetProviders } from './fleet/fleet-providers.js';
import { EventLogController } from './grpc/event-log.controller.js';
import { BODY_GATE } from './ingest/body-budget.js';
import { MAX_STORED_EVENT_BYTES } from './ingest/event-limits.js';
import { Ingest } from './ingest/ingest.js';
import { IngestController } from './ingest/ingest.controller.js';
import { EVENT_API } from './read/event-api.js';
import { DEFAULT_STREAM_TIMES, type EventStreamOptions } from './read/event-stream.js';
import { LiveTail } from './read/live-tail.js';
import { LogReader } from './read/log-reader.js';
import { EVENT_STREAM_OPTIONS, ReadController } from './read/read.controller.js';
import { ReadRpc } from './read/read-rpc.js';
import { TailReaders } from './read/tail-readers.js';
import { LogRelay, relayErrorLog } from './relay/log-relay.js';
import { LogVerifier, type RelayStanding } from './verify/log-verifier.js';
import { relayedStream } from './verify/stream-comparison.js';
import { VerifyController } from './verify/verify.controller.js';

export { eventRecorderConfig, type EventRecorderConfig } from './config.js';

/** What the module is given by its process. */
export interface EventRecorderOptions {
  config: EventRecorderConfig;
  context: ServiceContext;
  broker: Broker;
  /**
   * What the relay does with a stream that contradicts the log, see RelayPublisher. `rebuild` only where the broker certainly belongs
   * to this log alone, as an embedded one does. Default `refuse`.
   */
  divergence?: 'refuse' | 'rebuild';
}

const APPLICATION_NAME = 'tocsin event-recorder';

const OPTIONS = Symbol('options of the event recorder');
const APPEND_DATABASE = Symbol('connections that only appends use');

/** A batch at a time, and partitions made ahead: however many readers wait for a connection, an append has its own. */
const APPEND_CONNECTIONS = 2;

/** The event recorder: the one writer of the log, ingest, the read side, the relay to JetStream. */
@Module({})
export class EventRecorderModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(OPTIONS) private readonly options: EventRecorderOptions,
    @Inject(Database) private readonly database: Database,
    @Inject(APPEND_DATABASE) private readonly appends: Database,
    @Inject(AppendLeader) private readonly leader: AppendLeader,
    @Inject(LogRelay) private readonly relay: LogRelay,
    @Inject(LiveTail) private readonly tail: LiveTail,
    @Inject(TailReaders) private readonly readers: TailReaders,
    @Inject(ReadRpc) private readonly readRpc: ReadRpc,
  ) {}

  static register(options: EventRecorderOptions): DynamicModule {
    return {
      module: EventRecorderModule,
      controllers: [IngestController, ReadController, EventLogController, VerifyController, FleetController],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: API_DESCRIPTION, useValue: [...EVENT_API, FLEET_API] },
        ...storage(options),
        ...writing(options),
        ...reading(options),
        ...fleetProviders(options.broker),
      ],
    };
  }

  onApplicationBootstrap(): void {
    const { context } = this.options;
    context.readiness.register('log', async () => void (await this.database.query('SELECT 1')));
    context.readiness.register('log-leader', () => this.#leaderCheck());
    context.readiness.register('relay', () => this.relay.check());
    this.leader.start();
    this.readRpc.start();
  }

  /** A standby is of use as long as it can stand for election and reach whoever leads. */
  #leaderCheck(): true | string {
    if (this.leader.leading) return true;
    const { electionError } = this.leader;
    if (electionError !== undefined) return electionError;
    return this.options.broker.connected() || 'another recorder leads, and without NATS it cannot be reached';
  }

  /** Streams end first: a server waits for its open answers before it closes. */
  async beforeApplicationShutdown(): Promise<void> {
    this.readers.close();
    await this.tail.close();
  }

  /** Nobody asks over HTTP any more: finish what was accepted, hand the lead over, let go of the database. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.leader.stop(), this.readRpc.stop()]);
    await Promise.all([this.database.close(), this.appends.close()]);
  }
}

function storage({ config, context }: EventRecorderOptions): Provider[] {
  const logger = context.logger.child({ module: 'postgres' });
  const open = (more: Pick<DatabaseOptions, 'applicationName' | 'poolSize'>): Promise<Database> =>
    Database.open({
      ...LOG_DATABASE,
      migrations: [...LOG_DATABASE.migrations, RememberDurables1767312000000],
      url: config.TOCSIN_POSTGRES_URL,
      onIdleError: (error) => logger.warn({ err: error }, 'an idle connection to Postgres broke'),
      ...more,
    });
  return [
    { provide: Database, useFactory: () => open({ applicationName: APPLICATION_NAME }) },
    {
      provide: APPEND_DATABASE,
      useFactory: () => open({ applicationName: `${APPLICATION_NAME} append`, poolSize: APPEND_CONNECTIONS }),
    },
    { provide: PostgresLog, useFactory: (database: Database) => new PostgresLog({ database }), inject: [Database] },
  ];
}

function writing({ config, context, broker, divergence }: EventRecorderOptions): Provider[] {
  const { clock, random } = context;
  const durableMirror = (database: Database): DurableMirror =>
    new DurableMirror({
      broker,
      durables: new EventDurables(broker),
      table: new DurableTable(database),
      clock,
      logger: context.logger.child({ module: 'durables' }),
    });
  const waiting = { events: config.TOCSIN_APPEND_MAX_WAITING, bytes: config.TOCSIN_APPEND_MAX_WAITING_BYTES };
  return [
    { provide: RecentEvents, useFactory: () => new RecentEvents() },
    {
      provide: LogRelay,
      useFactory: (log: PostgresLog, recent: RecentEvents) => {
        const publisher = new RelayPublisher({
          broker,
          clock,
          random,
          // What this leader has just committed it need not ask Postgres for.
          read: async (after, limit) => recent.after(after, limit) ?? (await log.read({ after, limit })).events,
          head: () => log.head(),
          onProgress: (position) => recent.release(position),
          onError: relayErrorLog(context.logger.child({ module: 'relay' })),
          stream: { replicas: config.TOCSIN_RELAY_REPLICAS, maxBytes: config.TOCSIN_RELAY_MAX_BYTES },
          ...(divergence === undefined ? {} : { divergence }),
        });
        return new LogRelay(publisher, () => log.head(), clock);
      },
      inject: [PostgresLog, RecentEvents],
    },
    {
      provide: AppendLeader,
      useFactory: (database: Database, appends: Database, relay: LogRelay, recent: RecentEvents) => {
        const gauges = new LogGauges(() => relay.status());
        const held = appends.held();
        return new AppendLeader({
          acquire: leaderLock(config.TOCSIN_POSTGRES_URL, APPLICATION_NAME),
          takeOver: async () => {
            // Another may have led meanwhile.
            recent.clear();
            const appender = new Appender({
              database: held,
              clock,
              maxWaitingEvents: waiting.events,
              maxEventBytes: MAX_STORED_EVENT_BYTES,
              recent,
            });
            const { epoch, head } = await appender.becomeLeader();
            gauges.tookOver(head);
            return { epoch, append: (request) => appender.append(request), close: () => appender.stepDown() };
          },
          duties: [gauges, relay, new AppendRpc(broker, waiting.events, clock), durableMirror(database)],
          succession: new Succession({
            connected: () => broker.connected(),
            acquire: standbyLock(config.TOCSIN_POSTGRES_URL, APPLICATION_NAME),
            monotonicMs: () => clock.monotonicMs(),
          }),
          logger: context.logger.child({ module: 'append' }),
          random,
        });
      },
      inject: [Database, APPEND_DATABASE, LogRelay, RecentEvents],
    },
    {
      provide: LogWriter,
      useFactory: (leader: AppendLeader) => new LogWriter(leader, broker, clock, random),
      inject: [AppendLeader],
    },
    {
      provide: Ingest,
      useFactory: (writer: LogWriter, log: PostgresLog) =>
        new Ingest(writer, (source, id) => log.getByKey(source, id), new AppendGate(waiting, clock), clock),
      inject: [LogWriter, PostgresLog],
    },
    { provide: BODY_GATE, useFactory: () => new AppendGate(waiting, clock) },
  ];
}

function reading({ config, context, broker }: EventRecorderOptions): Provider[] {
  const { clock } = context;
  const logger = context.logger.child({ module: 'tail' });
  return [
    { provide: LogReader, useFactory: (log: PostgresLog) => new LogReader(log), inject: [PostgresLog] },
    {
      provide: LiveTail,
      useFactory: (log: PostgresLog) =>
        new LiveTail({
          store: log,
          notifications: (onCommit) =>
            listen({
              url: config.TOCSIN_POSTGRES_URL,
              applicationName: `${APPLICATION_NAME} listen`,
              channel: LOG_CHANNEL,
              onNotify: onCommit,
              onError: (error) =>
                logger.warn({ err: error }, 'notifications of commits are interrupted; polling meanwhile'),
            }),
          logger,
        }),
      inject: [PostgresLog],
    },
    {
      provide: TailReaders,
      useFactory: (tail: LiveTail, log: LogReader) =>
        new TailReaders({
          tail,
          head: () => log.head(),
          idleMs: DEFAULT_STREAM_TIMES.heartbeatMs,
          maxReaders: config.TOCSIN_STREAM_MAX_READERS,
        }),
      inject: [LiveTail, LogReader],
    },
    {
      provide: EVENT_STREAM_OPTIONS,
      useValue: {
        clock,
        logger,
        times: DEFAULT_STREAM_TIMES,
      } satisfies EventStreamOptions,
    },
    {
      provide: LogVerifier,
      useFactory: (log: PostgresLog, relay: LogRelay) =>
        new LogVerifier({
          proof: (options) => log.verify(options),
          stream: (options) => relayedStream(broker, log, options),
          relay: () => standing(relay),
          logger: context.logger.child({ module: 'verify' }),
        }),
      inject: [PostgresLog, LogRelay],
    },
    { provide: ReadRpc, useFactory: (log: LogReader) => new ReadRpc(broker, log), inject: [LogReader] },
  ];
}

function standing(relay: LogRelay): RelayStanding | undefined {
  const status = relay.status();
  return status === undefined ? undefined : { state: status.state, position: status.position };
}
