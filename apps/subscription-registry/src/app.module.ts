import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type Destination, JETSTREAM } from '@tocsin/contracts';
import { newId } from '@tocsin/domain';
import { type Broker, FollowerMeter, followLog } from '@tocsin/jetstream';
import { API_DESCRIPTION, Sealer, type ServiceContext } from '@tocsin/platform';
import { Database } from '@tocsin/postgres';
import { checkDestination as vetDestination, EgressPolicy, newSigningSecret } from '@tocsin/webhook';
import { keyProviders } from './access/key-providers.js';
import { KeyResponder } from './access/key-responder.js';
import { KeyStore } from './access/key-store.js';
import { ApplyDeclarations } from './apply/apply-declarations.js';
import type { SubscriptionRegistryConfig } from './config.js';
import { KeyGrpcController } from './grpc/key.controller.js';
import { MaintenanceGrpcController } from './grpc/maintenance.controller.js';
import { SubscriptionActionsGrpcController } from './grpc/subscription-actions.controller.js';
import { SubscriptionGrpcController } from './grpc/subscription.controller.js';
import { TargetGrpcController } from './grpc/target.controller.js';
import { ApplyController } from './http/apply.controller.js';
import { KeyController } from './http/key.controller.js';
import { REGISTRY_API } from './http/registry-api.js';
import { RegistryController } from './http/registry.controller.js';
import { SubscriptionActionsController } from './http/subscription-actions.controller.js';
import { SubscriptionController } from './http/subscription.controller.js';
import { SubscriptionTrialsController } from './http/subscription-trials.controller.js';
import { TargetController } from './http/target.controller.js';
import { RegistryLog } from './log/registry-log.js';
import { AnswerStore } from './once/answer-store.js';
import { MaintenanceController } from './maintenance/maintenance.controller.js';
import { MaintenanceWindows } from './maintenance/maintenance-windows.js';
import { WindowLog } from './maintenance/window-log.js';
import { ProjectionStore } from './projection/projection-store.js';
import { Projector } from './projection/projector.js';
import { RebuildProjection } from './projection/rebuild-projection.js';
import { REGISTRY_MIGRATIONS, REGISTRY_ROLE, REGISTRY_SCHEMA } from './projection/schema.js';
import { RegistryService } from './registry-service.js';
import { DeclareSubscription } from './subscriptions/declare-subscription.js';
import { ReadSubscriptions } from './subscriptions/read-subscriptions.js';
import { RemoveSubscription } from './subscriptions/remove-subscription.js';
import { PauseSubscription } from './subscriptions/pause-subscription.js';
import { RequestReplay } from './subscriptions/request-replay.js';
import { RotateSecret } from './subscriptions/rotate-secret.js';
import { SealedResponder } from './subscriptions/sealed-responder.js';
import { ORPHAN_AFTER_S, SealedStore } from './subscriptions/sealed-store.js';
import { SubscriptionStore } from './subscriptions/subscription-store.js';
import { trialProviders } from './subscriptions/trial-providers.js';
import { DeclareTarget } from './targets/declare-target.js';
import { FeedSource } from './targets/feed-source.js';
import { ObserverFeed } from './targets/observer-feed.js';
import { IcmpAbility } from './targets/icmp-ability.js';
import { OutageCloser } from './targets/outage-closer.js';
import { ReadTargets } from './targets/read-targets.js';
import { RemoveTarget } from './targets/remove-target.js';
import { RotateToken } from './targets/rotate-token.js';
import { TargetStore } from './targets/target-store.js';
import { Sweeper } from './upkeep/sweeper.js';

export { subscriptionRegistryConfig, type SubscriptionRegistryConfig } from './config.js';

/** What the module is given by its process. */
export interface SubscriptionRegistryModuleOptions {
  config: SubscriptionRegistryConfig;
  context: ServiceContext;
  broker: Broker;
}

/** The registry: who watches what, and who is told. */
@Module({})
export class SubscriptionRegistryModule implements OnApplicationShutdown {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(RegistryService) private readonly service: RegistryService,
  ) {}

  static register({ config, context, broker }: SubscriptionRegistryModuleOptions): DynamicModule {
    const { clock, readiness } = context;
    const logger = context.logger.child({ module: 'registry' });
    const egress = EgressPolicy.parse(config.TOCSIN_EGRESS_ALLOW);
    const checkDestination = (destination: Destination) => vetDestination(destination, egress);
    const sealer = Sealer.fromMasterKey(config.TOCSIN_MASTER_KEY);
    const icmp = new IcmpAbility(broker);
    const secrets = { signingSecret: newSigningSecret, sealedRef: () => newId('rev', clock.now()) };
    return {
      module: SubscriptionRegistryModule,
      controllers: [
        TargetController,
        SubscriptionController,
        SubscriptionActionsController,
        SubscriptionTrialsController,
        ApplyController,
        KeyController,
        RegistryController,
        MaintenanceController,
        TargetGrpcController,
        SubscriptionGrpcController,
        SubscriptionActionsGrpcController,
        MaintenanceGrpcController,
        KeyGrpcController,
      ],
      providers: [
        { provide: API_DESCRIPTION, useValue: REGISTRY_API },
        ...trialProviders({ broker, clock }),
        {
          provide: Database,
          useFactory: () =>
            Database.open({
              url: config.TOCSIN_POSTGRES_URL,
              applicationName: 'tocsin-subscription-registry',
              role: REGISTRY_ROLE,
              schema: REGISTRY_SCHEMA,
              migrations: REGISTRY_MIGRATIONS,
              onIdleError: (error) => logger.warn({ err: error }, 'an idle connection to Postgres broke'),
            }),
        },
        ...[ProjectionStore, TargetStore, SubscriptionStore, KeyStore].map((Store) => ({
          provide: Store,
          inject: [Database],
          useFactory: (database: Database) => new Store(database),
        })),
        {
          provide: Projector,
          inject: [ProjectionStore],
          useFactory: (store: ProjectionStore) => {
            const meter = new FollowerMeter('registry', clock);
            const projector = new Projector({
              target: store,
              follow: (options) => followLog(broker, { ...options, random: context.random, meter }),
              clock,
              onStuck: (error, after) => logger.warn({ err: error, after }, 'projecting was interrupted'),
            });
            readiness.register('registry', () => projector.readiness());
            return projector;
          },
        },
        {
          provide: RegistryLog,
          inject: [Projector],
          useFactory: (projector: Projector) => new RegistryLog(broker, projector, clock),
        },
        {
          provide: RebuildProjection,
          inject: [Database, RegistryLog],
          useFactory: (database: Database, log: RegistryLog) =>
            new RebuildProjection(database, (after) => log.page(after)),
        },
        {
          provide: SealedStore,
          inject: [Database],
          useFactory: (database: Database) => new SealedStore(database, sealer),
        },
        {
          provide: AnswerStore,
          inject: [Database],
          useFactory: (database: Database) => new AnswerStore(database, sealer),
        },
        {
          provide: MaintenanceWindows,
          inject: [RegistryLog],
          useFactory: (log: RegistryLog) =>
            new MaintenanceWindows({
              ...{ broker, log, clock },
              onError: (error) =>
                logger.warn({ err: error }, 'bringing maintenance windows to the observers was interrupted'),
            }),
        },
        {
          provide: RegistryService,
          inject: [Database, Projector, RegistryLog, SealedStore, AnswerStore, KeyStore, MaintenanceWindows],
          useFactory: (
            database: Database,
            projector: Projector,
            log: RegistryLog,
            seals: SealedStore,
            answers: AnswerStore,
            keys: KeyStore,
            windows: MaintenanceWindows,
          ) => {
            const feed = new ObserverFeed({
              openBucket: () => broker.kv(JETSTREAM.targetsBucket),
              source: new FeedSource(database, () => projector.reached),
              isCaughtUp: () => projector.isCaughtUp,
              onError: (error) => logger.warn({ err: error }, 'bringing targets to the observers was interrupted'),
            });
            readiness.register('observer feed', () => feed.readiness());
            const responder = new SealedResponder({
              broker,
              log,
              seals,
              onError: (error) => logger.error({ err: error }, 'a sealed destination could not be handed out'),
            });
            const keyResponder = new KeyResponder({
              broker,
              keys,
              clock,
              onError: (error) => logger.error({ err: error }, 'whose key it is could not be said'),
            });
            const sweeper = new Sweeper(
              [
                async () => seals.sweep(ORPHAN_AFTER_S, await log.head()),
                () => answers.sweep(),
                async () => keys.sweep(ORPHAN_AFTER_S, await log.head()),
              ],
              (error) => logger.warn({ err: error }, 'what is not needed any more was not swept away'),
            );
            const closer = new OutageCloser({
              database,
              log,
              clock,
              onError: (error) => logger.warn({ err: error }, 'ending outages of removed targets was interrupted'),
            });
            return new RegistryService({
              projector,
              feed,
              closer,
              listeners: [feed, closer, windows],
              responders: [responder, keyResponder, windows],
              sweeper,
            });
          },
        },
        {
          provide: DeclareTarget,
          inject: [RegistryLog, TargetStore],
          useFactory: (log: RegistryLog, targets: TargetStore) => new DeclareTarget(log, targets, icmp, clock),
        },
        {
          provide: RotateToken,
          inject: [RegistryLog, TargetStore],
          useFactory: (log: RegistryLog, targets: TargetStore) => new RotateToken(log, targets, clock),
        },
        {
          provide: RemoveTarget,
          inject: [RegistryLog, TargetStore],
          useFactory: (log: RegistryLog, targets: TargetStore) => new RemoveTarget(log, targets, clock),
        },
        {
          provide: ReadTargets,
          inject: [TargetStore],
          useFactory: (targets: TargetStore) => new ReadTargets(targets),
        },
        {
          provide: DeclareSubscription,
          inject: [RegistryLog, SubscriptionStore, SealedStore],
          useFactory: (log: RegistryLog, subscriptions: SubscriptionStore, seals: SealedStore) =>
            new DeclareSubscription({ log, subscriptions, seals, checkDestination, secrets, clock }),
        },
        {
          provide: RemoveSubscription,
          inject: [RegistryLog, SubscriptionStore],
          useFactory: (log: RegistryLog, subscriptions: SubscriptionStore) =>
            new RemoveSubscription(log, subscriptions),
        },
        {
          provide: PauseSubscription,
          inject: [RegistryLog, SubscriptionStore],
          useFactory: (log: RegistryLog, subscriptions: SubscriptionStore) => new PauseSubscription(log, subscriptions),
        },
        {
          provide: RequestReplay,
          inject: [RegistryLog, SubscriptionStore],
          useFactory: (log: RegistryLog, subscriptions: SubscriptionStore) => new RequestReplay(log, subscriptions),
        },
        {
          provide: RotateSecret,
          inject: [RegistryLog, SubscriptionStore, SealedStore],
          useFactory: (log: RegistryLog, subscriptions: SubscriptionStore, seals: SealedStore) =>
            new RotateSecret({ log, subscriptions, seals, secrets, clock }),
        },
        {
          provide: ReadSubscriptions,
          inject: [SubscriptionStore],
          useFactory: (subscriptions: SubscriptionStore) => new ReadSubscriptions(subscriptions),
        },
        ...keyProviders({ broker, clock, logger }),
        {
          provide: ApplyDeclarations,
          inject: [RegistryLog, TargetStore, SubscriptionStore, SealedStore, MaintenanceWindows],
          useFactory: (
            log: RegistryLog,
            targets: TargetStore,
            subscriptions: SubscriptionStore,
            seals: SealedStore,
            windows: MaintenanceWindows,
          ) =>
            new ApplyDeclarations({
              ...{ log, targets, subscriptions, seals, windows, checkDestination, secrets, icmp, clock },
              windowLog: new WindowLog(broker),
            }),
        },
      ],
    };
  }

  /** The database goes last: what is under way still writes to it. */
  async onApplicationShutdown(): Promise<void> {
    await this.service.onApplicationShutdown();
    await this.database.close();
  }
}
