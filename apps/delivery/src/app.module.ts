import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Broker } from '@tocsin/jetstream';
import type { ServiceContext } from '@tocsin/platform';
import { Database } from '@tocsin/postgres';
import type { DeliveryConfig } from './config.js';
import { DeliveryService } from './delivery-service.js';
import { DeliveriesController } from './ledger/deliveries.controller.js';
import { LedgerReader } from './ledger/ledger-reader.js';
import { CreateDeliverySchema1700000000000, DELIVERY_ROLE } from './ledger/schema.js';
import { DeliveryStatistics } from './send/delivery-statistics.js';

export { deliveryConfig, type DeliveryConfig } from './config.js';
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
      controllers: [DeliveriesController],
      providers: [
        {
          provide: Database,
          useFactory: () =>
            Database.open({
              url: options.config.TOCSIN_POSTGRES_URL,
              applicationName: 'tocsin-delivery',
              role: DELIVERY_ROLE,
              schema: 'delivery',
              migrations: [CreateDeliverySchema1700000000000],
              poolSize: POOL_SIZE,
            }),
        },
        { provide: DeliveryStatistics, useFactory: () => new DeliveryStatistics() },
        { provide: LedgerReader, useFactory: (database: Database) => new LedgerReader(database), inject: [Database] },
        {
          provide: DeliveryService,
          useFactory: (database: Database, statistics: DeliveryStatistics) =>
            new DeliveryService({ ...options, database, statistics }),
          inject: [Database, DeliveryStatistics],
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
