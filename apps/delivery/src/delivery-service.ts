import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import type { SubscriptionSpec } from '@tocsin/contracts';
import { newId } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { type Logger, Sealer, type ServiceContext } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';
import { EgressPolicy, EventSender, Sender } from '@tocsin/webhook';
import type { DeliveryConfig } from './config.js';
import { LastAttempt } from './ledger/last-attempt.js';
import { SHARDS } from './ledger/schema.js';
import type { LogSource } from './match/log-source.js';
import { type FilterFailed, SubscriptionBook, type SubscriptionRevision } from './match/subscription-book.js';
import { SubscriptionStore } from './match/subscription-store.js';
import type { Revival } from './retry/revival.js';
import { AttemptSender } from './send/attempt-sender.js';
import { AttemptTraces } from './send/attempt-trace.js';
import type { DeliveryStatistics } from './send/delivery-statistics.js';
import { Dispatcher } from './send/dispatcher.js';
import { SealedDestinations } from './send/sealed-destinations.js';
import type { ShardFigures } from './shards/balance.js';
import { ShardKeeper } from './shards/shard-keeper.js';
import { ShardLeases } from './shards/shard-leases.js';
import { TestResponder } from './trial/test-responder.js';
import { TestSender } from './trial/test-sender.js';

/** Attempts under way at shutdown are given this long to end by themselves, milliseconds; then they are broken off and made again later. */
const DRAIN_MS = 3_000;

/** One replica of delivery, from start to end. */
export class DeliveryService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #stopping = new AbortController();
  readonly #dispatcher: Dispatcher;
  readonly #keeper: ShardKeeper;
  readonly #sender: Sender;
  readonly #book: SubscriptionBook;
  readonly #tests: TestResponder;
  #stopped: Promise<void> | undefined;

  constructor(parts: {
    config: DeliveryConfig;
    context: ServiceContext;
    broker: Broker;
    database: Database;
    statistics: DeliveryStatistics;
    revival: Revival;
    log: LogSource;
  }) {
    const { config, context, broker, database, statistics, revival, log } = parts;
    const { clock, random } = context;
    const logger = context.logger.child({ module: 'delivery' });
    const worker = newId('obs', clock.now());
    const book = new SubscriptionBook(SHARDS, filterFailures(statistics, logger));
    this.#book = book;
    const destinations = new SealedDestinations(broker, Sealer.fromMasterKey(config.TOCSIN_MASTER_KEY));
    this.#sender = new Sender({ egress: EgressPolicy.parse(config.TOCSIN_EGRESS_ALLOW) });
    const sender = new EventSender({ sender: this.#sender, clock });
    const traces = new AttemptTraces(new LastAttempt(database));
    const attempts = new AttemptSender({
      sender,
      destinations,
      book,
      log,
      statistics,
      traces,
      clock,
      random,
      logger,
      worker,
    });
    this.#dispatcher = new Dispatcher(clock, attempts.send);
    this.#keeper = new ShardKeeper({
      database,
      broker,
      leases: new ShardLeases(database, worker, SHARDS),
      store: new SubscriptionStore(database),
      book,
      dispatcher: this.#dispatcher,
      destinations,
      log,
      revival,
      statistics,
      clock,
      logger,
      breakOff: this.#stopping.signal,
    });
    const signal = this.#stopping.signal;
    const tests = new TestSender({ broker, sender, destinations, traces, statistics, clock, logger, signal });
    this.#tests = new TestResponder({ broker, tests, logger });
    context.readiness.register('delivery', () => this.#keeper.ready);
    this.#gauges();
  }

  /** Something was asked for by hand: taken up now instead of within the second. */
  hasten(): void {
    this.#keeper.hasten();
  }

  /** A subscription as it is declared now. */
  specOf(subscription: string): SubscriptionSpec | undefined {
    return this.#book.current(subscription)?.spec;
  }

  onApplicationBootstrap(): void {
    this.#keeper.start();
    this.#tests.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    const breakOff = setTimeout(() => this.#stopping.abort(), DRAIN_MS);
    await Promise.all([this.#dispatcher.stop(), this.#tests.stop()]);
    clearTimeout(breakOff);
    await this.#keeper.stop(DRAIN_MS);
    await this.#sender.close();
  }

  #gauges(): void {
    const meter = metrics.getMeter('tocsin.delivery');
    const sums: [string, keyof ShardFigures, string][] = [
      [
        'tocsin_waiting_deliveries',
        'waiting',
        'Deliveries in flight or waiting in this process; parked ones are not counted',
      ],
      ['tocsin_parked_subscriptions', 'parked', 'Subscriptions held at a position'],
      [
        'tocsin_parked_deliveries',
        'held',
        'Matches that wait in the log behind parked subscriptions, of those met since this process owns the shards',
      ],
      [
        'tocsin_missing_deliveries',
        'missing',
        'Deliveries taken on that have neither ended nor wait nor are parked: anything but 0 is a defect',
      ],
    ];
    for (const [name, figure, description] of sums) {
      meter.createObservableGauge(name, { description }).addCallback((result) => {
        result.observe(this.#keeper.runners.reduce((sum, { figures }) => sum + figures[figure], 0));
      });
    }
    meter
      .createObservableGauge('tocsin_owned_shards', { description: 'Shards this replica owns' })
      .addCallback((result) => result.observe(this.#keeper.runners.length));
  }
}

/** Counts events that a filter fails on, and says so once for each declaration: who wrote it will want to know, and once is enough. */
function filterFailures(statistics: DeliveryStatistics, logger: Logger): FilterFailed {
  const told = new WeakSet<SubscriptionRevision>();
  return (revision, event, why) => {
    statistics.filterFailed();
    if (told.has(revision)) return;
    told.add(revision);
    const { name } = revision;
    logger.warn({ subscription: name, position: event.position, why }, 'a filter failed on an event: no match');
  };
}
