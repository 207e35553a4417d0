import { SUBSCRIPTION_REPLAY_REQUESTED } from '@tocsin/contracts';
import type { Clock, RecordedEvent } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import { setTimeout as delay } from 'node:timers/promises';
import type { PendingRecord, ShardState } from '../ledger/records.js';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import { tracedMatch } from '../match/match-span.js';
import type { SubscriptionChange, SubscriptionRevision } from '../match/subscription-book.js';
import { Announcer } from '../retry/announcer.js';
import { EndpointWatch, type Learnt } from '../retry/endpoint-watch.js';
import type { Delivery, QueueOwner, SubscriptionQueue } from '../send/subscription-queue.js';
import { Balance, type ShardFigures } from './balance.js';
import { Backlog, MOST_TRACKED, PARKED_BACKLOG, PARKED_PAUSED, startsInPast } from './backlog.js';
import { isOfThisLife } from './of-this-life.js';
import { JustDelivered } from './just-delivered.js';
import { LeaseTerm } from './lease-term.js';
import { configure } from './queue-settings.js';
import { Replays } from './replays.js';
import { SettledBefore } from './settled-before.js';
import { TrackedDeliveries, type TrackingParts } from './tracked-deliveries.js';

const DRAIN_POLL_MS = 20;

/** What the runner works with. */
export interface ShardRunnerParts extends TrackingParts {
  log: LogSource;
  broker: Pick<Broker, 'request'>;
  clock: Clock;
  logger: Logger;
  /** Aborted when the process stops: attempts under way end and do not count. */
  breakOff: AbortSignal;
}

/**
 * One shard while this process owns it: takes the log in order, finds whom of its subscriptions each event goes to, and keeps track
 * of every such delivery until it is settled or has a row. Log + checkpoint + sparse exceptions: whatever is at or before the
 * checkpoint is settled or has a row; what lies behind it is found again by reading the log.
 */
export class ShardRunner implements QueueOwner {
  readonly balance: Balance;
  readonly #tracked: TrackedDeliveries;
  readonly #stop = new AbortController();
  readonly #lease: LeaseTerm;
  readonly #backlog: Backlog;
  readonly #replays: Replays;
  readonly #watch: EndpointWatch;
  readonly #announcer: Announcer;
  readonly #justDelivered = new JustDelivered();
  #before = new SettledBefore();
  #cursor = 0;

  constructor(
    readonly shard: number,
    readonly ledger: ShardLedger,
    private readonly parts: ShardRunnerParts,
  ) {
    this.balance = new Balance(parts.statistics);
    this.#lease = new LeaseTerm(parts.clock, parts.breakOff);
    this.#tracked = new TrackedDeliveries(this, ledger, parts, (name) => this.#heldUntil(name), this.balance);
    this.#backlog = new Backlog(this, parts);
    this.#replays = new Replays(this, parts);
    this.#announcer = new Announcer(parts, ledger, this.#stop.signal);
    this.#watch = new EndpointWatch({
      keep: (name, record) => ledger.note((batch) => batch.endpoint(name, record)),
      announce: (event) => this.#announcer.announce({ id: event.id, event }),
      disable: (name, reason) => this.#disable(name, reason),
      revisionOf: (name) => parts.book.current(name)?.fromPosition ?? 0,
    });
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** What the metrics show of it. */
  get figures(): ShardFigures {
    const waiting = this.#tracked.size;
    return { waiting, parked: this.#backlog.size, held: this.balance.held, missing: this.balance.missing(waiting) };
  }

  /** The smallest position that may still be matched here. */
  get oldestNeeded(): number {
    return Math.min(this.#cursor, this.#backlog.oldest);
  }

  /** Subscriptions without room for what is revived by hand. */
  get full(): string[] {
    return this.#tracked.full;
  }

  get signal(): AbortSignal {
    return this.#lease.signal;
  }
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /** May an attempt start? Only while nobody else can own the shard. */
  mayStart(): boolean {
    return !this.#stop.signal.aborted && this.#lease.holds();
  }

  /** The lease holds until then, monotonic milliseconds. */
  leaseRenewed(untilMonotonicMs: number): void {
    const resting = !this.mayStart();
    this.#lease.renewed(untilMonotonicMs);
    if (resting) this.#tracked.wakeAll();
  }

  /** Takes up where the last owner left. */
  start(state: ShardState): void {
    this.#cursor = state.checkpoint;
    this.#before = new SettledBefore(state);
    for (const record of state.endpoints) this.#watch.restore(record);
    for (const record of state.parked) this.#backlog.restore(record);
    for (const row of state.pending) this.#restore(row);
    for (const record of state.replays) this.#replays.restore(record);
    this.#announcer.take(state.announcements);
    this.#tracked.wakeAll();
    this.tick();
  }

  /** Takes in the next event of the log, and what it changes. */
  offer(event: RecordedEvent, change?: SubscriptionChange): void {
    if (event.position <= this.#cursor) return;
    if (event.position !== this.#cursor + 1) {
      throw new Error(`shard ${this.shard} was offered position ${event.position} after ${this.#cursor}`);
    }
    for (const revision of tracedMatch(this.parts, event, this.shard)) this.#match(revision, event);
    this.#cursor = event.position;
    if (change?.kind === 'declared' && change.revision.shard === this.shard) this.#declared(change);
    if (change?.kind === 'removed' && change.closed.shard === this.shard) this.#removed(change.closed.name);
    if (event.type === SUBSCRIPTION_REPLAY_REQUESTED && this.parts.book.isInShard(event, this.shard)) {
      this.#replays.requested(event);
    }
  }

  /** A batch of events has been taken in. */
  batchTaken(): void {
    this.ledger.checkpointMoved();
  }

  /** Once a round: what has nobody to wake it. */
  tick(): void {
    this.#backlog.readOnAll();
  }

  /** From here on until {@link revived} the rows that it will be given are being read. */
  beforeRevived(): void {
    this.#justDelivered.begin();
  }

  /** Somebody wants these to be tried now; they were given up, or waited. */
  revived(rows: readonly PendingRecord[]): void {
    for (const row of this.#justDelivered.end(rows)) {
      const queue = this.queueOf(row.subscription);
      const known = queue.at(row.position);
      if (known === undefined) this.#restore(row);
      else queue.hurry(known, this.parts.clock.now());
      this.wake(queue);
    }
  }

  queueOf(subscription: string): SubscriptionQueue {
    return this.#tracked.queueOf(subscription);
  }

  wake(queue: SubscriptionQueue): void {
    this.parts.dispatcher.wake(queue);
  }

  takeUp(subscription: string, at: Pick<RecordedEvent, 'position' | 'subject'>, event?: RecordedEvent): boolean {
    if (this.#before.has(subscription, at) || this.queueOf(subscription).at(at.position) !== undefined) return false;
    this.#tracked.addWithRow(subscription, { position: at.position, subject: at.subject, event });
    return true;
  }

  replay(subscription: string, event: RecordedEvent, replay: number, nextAt: number): void {
    const { position, subject } = event;
    this.ledger.note((batch) => batch.revive(subscription, position));
    this.balance.accept();
    this.#tracked.addWithRow(subscription, { position, subject, event, replay, nextAt });
  }

  accounted(delivery: Delivery): void {
    this.#tracked.accounted(delivery);
  }

  settled(queue: SubscriptionQueue, delivery: Delivery, success: boolean): void {
    this.balance.end();
    if (success) this.#justDelivered.note(delivery);
    this.#backlog.roomIn(queue, success);
    this.#replays.roomIn(queue);
  }

  learnt(queue: SubscriptionQueue, learnt: Learnt): void {
    if (queue.removed) return;
    this.#watch.learn(queue, learnt);
    // Not only once the success is written down: the newest of each subject goes before all that waited.
    if (queue.latestOnly && learnt.verdict === 'success') this.#backlog.roomIn(queue, true);
  }

  supersede(older: Delivery, by: number): void {
    this.#tracked.supersede(older, by);
  }

  bury(delivery: Delivery, reason: string): void {
    this.#tracked.bury(delivery, reason);
  }

  /** The position that the checkpoint may move to; may still add rows to the ledger's present batch. */
  checkpointNow(): number {
    return this.#tracked.checkpoint(this.#cursor);
  }

  /** Starts no attempt any more and reads nothing more; what is in flight ends by itself. */
  stop(): void {
    this.#stop.abort();
  }

  /** The shard is somebody else's: what is in flight is broken off, since the new owner sends it again. */
  abandon(): void {
    this.stop();
    this.#lease.end();
    this.ledger.giveUp();
  }

  /** Stops, waits for what is in flight, and writes it down. */
  async close(timeoutMs: number): Promise<void> {
    this.stop();
    const end = this.parts.clock.monotonicMs() + timeoutMs;
    while (this.#tracked.inFlight > 0 && this.parts.clock.monotonicMs() < end) await delay(DRAIN_POLL_MS);
    await this.ledger.close(Math.max(end - this.parts.clock.monotonicMs(), 0));
    this.#lease.end();
  }

  #match(revision: SubscriptionRevision, event: RecordedEvent): void {
    const { name } = revision;
    if (this.#backlog.holds(revision, event) || this.#before.has(name, event)) return;
    if (!this.parts.book.lives(revision)) {
      // Removed further on in the log, and perhaps made again: what was owed to the old one is not for the new one's receiver.
      this.#tracked.buryAt(name, { ...event, hasRow: false }, 'subscription-removed');
      return;
    }
    const queue = this.queueOf(name);
    const full = queue.size >= MOST_TRACKED;
    // Where only the latest counts, one to probe with is enough; the others are found when the endpoint is back.
    const waits = queue.latestOnly && queue.size > 0 && queue.resting(this.parts.clock.now());
    if (full || waits) {
      this.#backlog.park(name, event.position - 1, PARKED_BACKLOG);
      this.#backlog.holds(revision, event);
      return;
    }
    this.#tracked.addFresh(queue, event);
  }

  #restore(row: PendingRecord): void {
    const { subscription } = row;
    if (isOfThisLife(row, this.parts.book, this.#watch)) this.#tracked.restore(subscription, row);
    else this.#tracked.buryAt(subscription, { ...row, hasRow: true }, 'subscription-removed');
  }

  #heldUntil(subscription: string): number {
    return this.#backlog.isHeld(subscription) ? Number.POSITIVE_INFINITY : this.#watch.heldUntil(subscription);
  }

  #disable(subscription: string, reason: string): void {
    this.queueOf(subscription).heldUntil = Number.POSITIVE_INFINITY;
    this.#backlog.hold(subscription, reason);
  }

  #declared({ revision, created }: Extract<SubscriptionChange, { kind: 'declared' }>): void {
    const { name, spec, fromPosition } = revision;
    const queue = this.queueOf(name);
    configure(queue, spec);
    const begins = created && startsInPast(spec);
    const paused = spec.paused === true;
    if (!this.#watch.declared(name, fromPosition, paused || begins)) return;
    queue.heldUntil = paused ? Number.POSITIVE_INFINITY : 0;
    if (begins) this.#backlog.begin(revision);
    if (paused) this.#backlog.hold(name, PARKED_PAUSED);
    else this.#backlog.resume(name);
    this.wake(queue);
  }

  /** What the subscription was still owed is given up. */
  #removed(subscription: string): void {
    this.#tracked.removed(subscription);
    this.#backlog.removed(subscription);
    this.#replays.removed(subscription);
    this.#watch.removed(subscription);
  }
}
