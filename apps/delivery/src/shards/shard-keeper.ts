import type { RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Database } from '@tocsin/postgres';
import { LedgerWriter } from '../ledger/ledger-writer.js';
import type { ShardState } from '../ledger/records.js';
import { ShardLedger } from '../ledger/shard-ledger.js';
import type { SubscriptionChange } from '../match/subscription-book.js';
import type { SubscriptionStore } from '../match/subscription-store.js';
import type { Revival } from '../retry/revival.js';
import type { SealedDestinations } from '../send/sealed-destinations.js';
import { LogAccess } from './log-access.js';
import { LogFeed } from './log-feed.js';
import { type Lease, LEASE_MS, RENEW_MS, type ShardLeases } from './shard-leases.js';
import { ShardRunner, type ShardRunnerParts } from './shard-runner.js';

/** A shard given to another replica ends what it has in flight first; longer than any attempt may take, milliseconds. */
const HAND_OVER_MS = 20_000;
/** Every so many rounds the reading's position is stored and old revisions are forgotten. */
const HOUSEKEEPING_ROUNDS = 10;

/** What the keeper works with. */
export interface ShardKeeperParts extends ShardRunnerParts {
  database: Database;
  broker: Broker;
  leases: ShardLeases;
  store: SubscriptionStore;
  revival: Revival;
  destinations: SealedDestinations;
}

interface OwnedShard {
  lease: Lease;
  runner: ShardRunner;
}

/**
 * Keeps this replica's share of the shards: takes free ones, renews what it has, gives away what is too much, and feeds all of them
 * from one reading of the log.
 */
export class ShardKeeper {
  readonly #owned = new Map<number, OwnedShard>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #feed: LogFeed;
  readonly #access: LogAccess;
  readonly #writer: LedgerWriter;
  #unsaved: SubscriptionChange[] = [];
  #loop: Promise<void> | undefined;
  #wakeUp: PromiseWithResolvers<void> | undefined;
  #stopping = false;
  #ready = false;
  #takesFromMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: ShardKeeperParts) {
    this.#feed = new LogFeed(parts, (events) => this.#take(events));
    this.#access = new LogAccess(() => parts.broker.connected(), parts.clock);
    this.#writer = new LedgerWriter(parts.database, parts.logger);
  }

  /** The shards that are worked on here. */
  get runners(): ShardRunner[] {
    return [...this.#owned.values()].map(({ runner }) => runner);
  }

  /** Has the first round gone well: the subscriptions are known and the log is being read? */
  get ready(): boolean {
    return this.#ready;
  }

  /** Starts the rounds; returns at once. */
  start(): void {
    this.#loop = this.#rounds();
  }

  /** Does the next round now: something is to be taken up. */
  hasten(): void {
    this.#wakeUp?.resolve();
  }

  /** Ends what is in flight, writes it down, and gives the shards back. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    this.#wakeUp?.resolve();
    await this.#loop;
    await this.#feed.stop();
    const owned = [...this.#owned.values()];
    await Promise.all(owned.map(({ runner }) => runner.close(timeoutMs)));
    this.#owned.clear();
    await Promise.all(this.#leaving);
    try {
      await this.parts.leases.release(owned.map(({ lease }) => lease));
      await this.parts.leases.leave();
    } catch (error) {
      this.parts.logger.warn({ err: error }, 'leases not given back; they run out by themselves');
    }
  }

  async #rounds(): Promise<void> {
    for (let round = 0; !this.#stopping; round += 1) {
      // Made before the round: a call of `hasten` while it runs is not lost.
      this.#wakeUp = Promise.withResolvers<void>();
      try {
        if (!this.#ready) await this.#open();
        await this.#round();
        if (round % HOUSEKEEPING_ROUNDS === 0) await this.#keepHouse();
      } catch (error) {
        this.parts.logger.warn({ err: error }, 'shards not renewed, trying again');
        // Leases have run out for everybody alike: each owner has its turn to renew before anybody takes what is not his, or all that
        // could not be written down meanwhile would be sent again.
        this.#takesFromMs = this.parts.clock.monotonicMs() + LEASE_MS;
      }
      const timer = setTimeout(this.#wakeUp.resolve, RENEW_MS);
      if (this.#stopping) this.#wakeUp.resolve();
      await this.#wakeUp.promise;
      clearTimeout(timer);
    }
  }

  async #open(): Promise<void> {
    await this.#feed.startAfter(await this.#restoreBook());
    this.#ready = true;
  }

  async #restoreBook(): Promise<number> {
    const { revisions, checkpoint } = await this.parts.store.load();
    for (const revision of revisions) this.parts.book.restore(revision);
    return checkpoint;
  }

  async #round(): Promise<void> {
    const { leases, clock, logger } = this.parts;
    const askedAt = clock.monotonicMs();
    const owned = [...this.#owned.values()].map(({ lease }) => lease);
    const { held, share: fair, others } = await leases.renew(owned, this.#access.look());
    const share = this.#access.cutOff && others > 0 ? 0 : fair;
    const epochs = new Map(held.map((lease) => [lease.shard, lease.epoch]));
    for (const [shard, { lease, runner }] of this.#owned) {
      if (epochs.get(shard) === lease.epoch) runner.leaseRenewed(askedAt + LEASE_MS);
      else this.#lost(shard, runner);
    }
    const missing = share - this.#owned.size;
    if (missing > 0 && askedAt >= this.#takesFromMs) {
      const takenAt = clock.monotonicMs();
      const taken = await leases.take(missing);
      if (taken.length > 0) {
        logger.info({ shards: taken.map((lease) => lease.shard) }, 'shards taken');
        await this.#begin(taken, takenAt + LEASE_MS);
      }
    }
    for (const shard of [...this.#owned.keys()].slice(share)) this.#giveAway(shard);
    await this.#takeRevived();
    for (const runner of this.runners) runner.tick();
  }

  /** All that can fail is done before anything is changed: what could not be loaded is given back and taken again later. */
  async #begin(taken: readonly Lease[], leaseUntil: number): Promise<void> {
    const loaded: { lease: Lease; runner: ShardRunner; state: ShardState }[] = [];
    try {
      await this.#restoreBook();
      for (const lease of taken) {
        const runner = this.#runnerOf(lease);
        loaded.push({ lease, runner, state: await runner.ledger.load() });
      }
    } catch (error) {
      await this.parts.leases.release(taken);
      throw error;
    }
    // The reading stands still while they come in: a batch must not pass them half-way.
    await this.#feed.stop();
    let behind = this.#feed.position;
    for (const { lease, runner, state } of loaded) {
      this.#owned.set(lease.shard, { lease, runner });
      runner.leaseRenewed(leaseUntil);
      runner.start(state);
      behind = Math.min(behind, state.checkpoint);
    }
    await this.#feed.startAfter(behind);
  }

  #runnerOf(lease: Lease): ShardRunner {
    const ledger = new ShardLedger(this.parts.database, this.#writer, lease.shard, lease.epoch, {
      checkpointNow: () => runner.checkpointNow(),
      onFenced: () => this.#lost(lease.shard, runner),
    });
    const runner: ShardRunner = new ShardRunner(lease.shard, ledger, this.parts);
    return runner;
  }

  #lost(shard: number, runner: ShardRunner): void {
    runner.abandon();
    if (this.#owned.get(shard)?.runner !== runner) return;
    this.#owned.delete(shard);
    this.parts.logger.warn({ shard }, 'shard lost to another replica');
  }

  #giveAway(shard: number): void {
    const { lease, runner } = this.#owned.get(shard) ?? {};
    if (lease === undefined || runner === undefined) return;
    this.#owned.delete(shard);
    const { leases, logger, clock } = this.parts;
    // Renewing goes on until the last answer is written down: nobody else may start the same lane before.
    const renewing = setInterval(() => {
      const askedAt = clock.monotonicMs();
      leases.renew([lease], this.#access.look()).then(
        ({ held }) => (held.length > 0 ? runner.leaseRenewed(askedAt + LEASE_MS) : runner.abandon()),
        (error: unknown) => logger.warn({ err: error, shard }, 'lease of a shard on its way out not renewed'),
      );
    }, RENEW_MS);
    const leaving = runner
      .close(HAND_OVER_MS)
      .then(() => leases.release([lease]))
      .catch((error: unknown) => logger.warn({ err: error, shard }, 'shard not given back'))
      .finally(() => {
        clearInterval(renewing);
        this.#leaving.delete(leaving);
      });
    this.#leaving.add(leaving);
  }

  async #takeRevived(): Promise<void> {
    const owned = [...this.#owned.values()];
    for (const { runner } of owned) runner.beforeRevived();
    const rows = await this.parts.revival.take(
      owned.map(({ lease }) => lease),
      owned.flatMap(({ runner }) => runner.full),
    );
    for (const { lease, runner } of owned) {
      runner.revived(rows.filter((row) => row.shard === lease.shard));
    }
  }

  async #take(events: RecordedEvent[]): Promise<void> {
    const changes = new Map<number, SubscriptionChange>();
    for (const event of events) {
      const change = this.parts.book.apply(event);
      if (change === undefined) continue;
      changes.set(event.position, change);
      this.#unsaved.push(change);
      this.parts.destinations.forget(change.kind === 'declared' ? change.revision.name : change.closed.name);
    }
    const last = events.at(-1);
    if (this.#unsaved.length > 0 && last !== undefined) {
      const saving = this.#unsaved;
      await this.parts.store.save(saving, last.position);
      this.#unsaved = this.#unsaved.slice(saving.length);
    }
    for (const { runner } of this.#owned.values()) {
      for (const event of events) runner.offer(event, changes.get(event.position));
      runner.batchTaken();
    }
  }

  async #keepHouse(): Promise<void> {
    if (this.#unsaved.length === 0) await this.parts.store.save([], this.#feed.position);
    this.parts.book.dropBefore(Math.min(this.#feed.position, ...this.runners.map((runner) => runner.oldestNeeded)));
    await this.parts.database.query('SELECT delivery.create_attempt_partitions()');
  }
}
