import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Broker } from '@tocsin/jetstream';
import { API_DESCRIPTION, type ServiceContext } from '@tocsin/platform';
import { Database } from '@tocsin/postgres';
import type { DeliveryConfig } from './config.js';
import { DeliveryService } from './delivery-service.js';
import { EXPLAIN_API } from './explain/explain-api.js';
import { ExplainController } from './explain/explain.controller.js';
import { Explainer } from './explain/explainer.js';
import { EventLedger } from './explain/event-ledger.js';
import { EventStories } from './explain/event-stories.js';
import { DeliveriesController } from './ledger/deliveries.controller.js';
import { DELIVERY_API } from './ledger/delivery-api.js';
import { DeliveryTally } from './ledger/delivery-tally.js';
import { LedgerReader } from './ledger/ledger-reader.js';
import { DELIVERY_MIGRATIONS, DELIVERY_ROLE, SHARDS } from './ledger/schema.js';
import { PROMISES_API } from './verify/promises-api.js';
import { PROMISE_PROOF, type PromiseProof, PromisesController } from './verify/promises.controller.js';
import { VerifyDeliveries } from './verify/verify-deliveries.js';
import { LogSource } from './match/log-source.js';
import { Revival } from './retry/revival.js';
import { DeliveryStatistics } from './send/delivery-statistics.js';

export type { EventName, EventStory, Explanation, SubscriptionStory } from './explain/story.js';
export { deliveryConfig, type DeliveryConfig } from './config.js';
export { SHARDS } from './ledger/schema.js';
export type { PromiseVerdict } from './verify/promise.js';
export { type PromiseLine, verifyPromises } from './verify/verify-promises.js';
export { type DeliveryCounts, DeliveryStatistics } from './send/delivery-statistics.js';

/** What the module is given by its process. */
export interface DeliveryModuleOptions {
  config: DeliveryConfig;
  context: ServiceContext;
  broker: Broker;
}

/** Attempts are recorded one small statement at a time a shard; more connections than shards would stand idle. */
const POOL_SIZE = 12;

/** Delivery: matching, sending, retrying, the ledger. */
@Module({})
export class DeliveryModule implements OnApplicationShutdown {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(DeliveryService) private readonly service: DeliveryService,
  ) {}

  static register(options: DeliveryModuleOptions): DynamicModule {
    return {
      module: DeliveryModule,
      controllers: [DeliveriesController, ExplainController, PromisesController],
      providers: [
        { provide: API_DESCRIPTION, useValue: [...DELIVERY_API, ...EXPLAIN_API, ...PROMISES_API] },
        {
          provide: Database,
          useFactory: () =>
            Database.open({
              url: options.config.TOCSIN_POSTGRES_URL,
              applicationName: 'tocsin-delivery',
              role: DELIVERY_ROLE,
              schema: 'delivery',
              migrations: DELIVERY_MIGRATIONS,
              poolSize: POOL_SIZE,
            }),
        },
        { provide: DeliveryStatistics, useFactory: () => new DeliveryStatistics() },
        { provide: LedgerReader, useFactory: (database: Database) => new LedgerReader(database), inject: [Database] },
        {
          provide: DeliveryTally,
          useFactory: (database: Database) => new DeliveryTally(options.broker, database, options.context.clock),
          inject: [Database],
        },
        { provide: LogSource, useFactory: () => new LogSource(options.broker) },
        {
          provide: VerifyDeliveries,
          useFactory: (database: Database, log: LogSource) => new VerifyDeliveries(database, log, SHARDS),
          inject: [Database, LogSource],
        },
        {
          provide: Explainer,
          useFactory: (database: Database, log: LogSource) => {
            const stories = new EventStories({ log, ledger: new EventLedger(database), shards: SHARDS });
            return new Explainer({ log, stories, shards: SHARDS });
          },
          inject: [Database, LogSource],
        },
        {
          provide: PROMISE_PROOF,
          useFactory: (database: Database, log: LogSource): PromiseProof => {
            const logger = options.context.logger.child({ module: 'verify' });
            return { database, log, shards: SHARDS, logger };
          },
          inject: [Database, LogSource],
        },
        { provide: Revival, useFactory: (database: Database) => new Revival(database), inject: [Database] },
        {
          provide: DeliveryService,
          useFactory: (database: Database, statistics: DeliveryStatistics, revival: Revival, log: LogSource) =>
            new DeliveryService({ ...options, database, statistics, revival, log }),
          inject: [Database, DeliveryStatistics, Revival, LogSource],
        },
      ],
    };
  }

  /** The database goes last: what is in flight is still being written down. */
  async onApplicationShutdown(): Promise<void> {
    await this.service.onApplicationShutdown();
    await this.database.close();
  }
}
