import type { Clock, RecordedEvent } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';
import { ShardLedger } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook, SubscriptionChange } from '../match/subscription-book.js';
import type { SubscriptionStore } from '../match/subscription-store.js';
import type { Broker } from '@tocsin/jetstream';
import type { Dispatcher } from '../send/dispatcher.js';
import type { SealedDestinations } from '../send/sealed-destinations.js';
import { LogFeed } from './log-feed.js';
import { type Lease, LEASE_MS, RENEW_MS, type ShardLeases } from './shard-leases.js';
import { ShardRunner } from './shard-runner.js';

/** A shard given to another replica ends what it has in flight first; longer than any attempt may take, milliseconds. */
const HAND_OVER_MS = 20_000;
/** Every so many rounds the reading's position is stored and old revisions are forgotten. */
const HOUSEKEEPING_ROUNDS = 10;

/** What the keeper works with. */
export interface ShardKeeperParts {
  database: Database;
  broker: Broker;
  leases: ShardLeases;
  store: SubscriptionStore;
  book: SubscriptionBook;
  dispatcher: Dispatcher;
  destinations: SealedDestinations;
  log: LogSource;
  clock: Clock;
  logger: Logger;
}

/**
 * Keeps this replica's share of the shards: takes free ones, renews what it has, gives away what is too much, and feeds all of them
 * from one reading of the log.
 */
export class ShardKeeper {
  readonly #runners = new Map<number, { lease: Lease; runner: ShardRunner }>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #feed: LogFeed;
  #unsaved: SubscriptionChange[] = [];
  #loop: Promise<void> | undefined;
  #wakeUp: PromiseWithResolvers<void> | undefined;
  #stopping = false;
  #ready = false;

  constructor(private readonly parts: ShardKeeperParts) {
    this.#feed = new LogFeed(parts, (events) => this.#take(events));
  }

  /** The shards that are worked on here. */
  get runners(): ShardRunner[] {
    return [...this.#runners.values()].map(({ runner }) => runner);
  }

  /** Has the first round gone well: the subscriptions are known and the log is being read? */
  get ready(): boolean {
    return this.#ready;
  }

  /** Starts the rounds; returns at once. */
  start(): void {
    this.#loop = this.#rounds();
  }

  /** Ends what is in flight, writes it down, and gives the shards back. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    this.#wakeUp?.resolve();
    await this.#loop;
    await this.#feed.stop();
    const shards = [...this.#runners.keys()];
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.close(timeoutMs)));
    this.#runners.clear();
    await Promise.all(this.#leaving);
    try {
      await this.parts.leases.release(shards);
      await this.parts.leases.leave();
    } catch (error) {
      this.parts.logger.warn({ err: error }, 'leases not given back; they run out by themselves');
    }
  }

  async #rounds(): Promise<void> {
    for (let round = 0; !this.#stopping; round += 1) {
      try {
        if (!this.#ready) await this.#open();
        await this.#round();
        if (round % HOUSEKEEPING_ROUNDS === 0) await this.#keepHouse();
      } catch (error) {
        this.parts.logger.warn({ err: error }, 'shards not renewed, trying again');
      }
      this.#wakeUp = Promise.withResolvers<void>();
      const timer = setTimeout(this.#wakeUp.resolve, RENEW_MS);
      if (this.#stopping) this.#wakeUp.resolve();
      await this.#wakeUp.promise;
      clearTimeout(timer);
    }
  }

  async #open(): Promise<void> {
    const { revisions, checkpoint } = await this.parts.store.load();
    for (const revision of revisions) this.parts.book.restore(revision);
    await this.#feed.startAfter(checkpoint);
    this.#ready = true;
  }

  async #round(): Promise<void> {
    const { leases, clock, logger } = this.parts;
    const askedAt = clock.monotonicMs();
    const { held, share } = await leases.renew([...this.#runners.values()].map(({ lease }) => lease));
    const holds = new Set(held.map((lease) => lease.shard));
    for (const [shard, { runner }] of this.#runners) {
      if (holds.has(shard)) runner.leaseRenewed(askedAt + LEASE_MS);
      else this.#lost(shard, runner);
    }
    const missing = share - this.#runners.size;
    if (missing > 0) {
      const taken = await leases.take(missing);
      if (taken.length > 0) {
        logger.info({ shards: taken.map((lease) => lease.shard) }, 'shards taken');
        await this.#begin(taken, askedAt + LEASE_MS);
      }
    }
    for (const shard of [...this.#runners.keys()].slice(share)) this.#giveAway(shard);
  }

  async #begin(taken: readonly Lease[], leaseUntil: number): Promise<void> {
    const { revisions } = await this.parts.store.load();
    for (const revision of revisions) this.parts.book.restore(revision);
    let behind = this.#feed.position;
    for (const lease of taken) {
      const runner = this.#runnerOf(lease);
      const state = await runner.ledger.load();
      this.#runners.set(lease.shard, { lease, runner });
      runner.leaseRenewed(leaseUntil);
      runner.start(state);
      behind = Math.min(behind, state.checkpoint);
    }
    // Always anew, also where nothing seems missed: a batch may be on its way past the shards that were here when it came.
    await this.#feed.startAfter(behind);
  }

  #runnerOf(lease: Lease): ShardRunner {
    const { database, logger } = this.parts;
    const ledger = new ShardLedger(database, lease.shard, lease.epoch, {
      logger,
      checkpointNow: () => runner.checkpointNow(),
      onFenced: () => this.#lost(lease.shard, runner),
    });
    const runner: ShardRunner = new ShardRunner(lease.shard, ledger, this.parts);
    return runner;
  }

  #lost(shard: number, runner: ShardRunner): void {
    runner.stop();
    if (this.#runners.get(shard)?.runner !== runner) return;
    this.#runners.delete(shard);
    this.parts.logger.warn({ shard }, 'shard lost to another replica');
  }

  #giveAway(shard: number): void {
    const { lease, runner } = this.#runners.get(shard) ?? {};
    if (lease === undefined || runner === undefined) return;
    this.#runners.delete(shard);
    // Renewing goes on until the last answer is written down: nobody else may start the same lane before.
    const renewing = setInterval(() => {
      this.parts.leases.renew([lease]).catch((error: unknown) => {
        this.parts.logger.warn({ err: error, shard }, 'lease of a shard on its way out not renewed');
      });
    }, RENEW_MS);
    const leaving = runner
      .close(HAND_OVER_MS)
      .then(() => this.parts.leases.release([shard]))
      .catch((error: unknown) => this.parts.logger.warn({ err: error, shard }, 'shard not given back'))
      .finally(() => {
        clearInterval(renewing);
        this.#leaving.delete(leaving);
      });
    this.#leaving.add(leaving);
  }

  async #take(events: RecordedEvent[]): Promise<void> {
    for (const event of events) {
      const change = this.parts.book.apply(event);
      if (change === undefined) continue;
      this.#unsaved.push(change);
      this.#tell(change);
    }
    const last = events.at(-1);
    if (this.#unsaved.length > 0 && last !== undefined) {
      await this.parts.store.save(this.#unsaved, last.position);
      this.#unsaved = [];
    }
    for (const { runner } of this.#runners.values()) {
      for (const event of events) runner.offer(event);
      runner.batchTaken();
    }
  }

  #tell(change: SubscriptionChange): void {
    const { name, shard } = change.kind === 'declared' ? change.revision : change.closed;
    this.parts.destinations.forget(name);
    const runner = this.#runners.get(shard)?.runner;
    if (change.kind === 'declared') runner?.declared(name);
    else runner?.removed(name);
  }

  async #keepHouse(): Promise<void> {
    if (this.#unsaved.length === 0) await this.parts.store.save([], this.#feed.position);
    this.parts.book.dropBefore(Math.min(this.#feed.position, ...this.runners.map((runner) => runner.oldestNeeded)));
    await this.parts.database.query('SELECT delivery.create_attempt_partitions()');
  }
}
