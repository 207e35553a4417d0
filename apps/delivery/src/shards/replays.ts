import { replayRequestedSchema } from '@tocsin/contracts';
import { askFilter } from '@tocsin/cel';
import { clauseMatches, type Clock, type RecordedEvent } from '@tocsin/domain';
import { type Logger, pause } from '@tocsin/platform';
import { deliveryKey, type ReplayRecord } from '../ledger/records.js';
import type { ShardLedger } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { SubscriptionQueue } from '../send/subscription-queue.js';

const PAGE = 200;
/** Replays of one subscription that wait; the rest is read when there is room. */
const MOST_WAITING = 200;
const RETRY_MS = 500;

/** What replays need of their shard. */
export interface ReplayHost {
  readonly ledger: ShardLedger;
  readonly stopping: AbortSignal;
  queueOf(subscription: string): SubscriptionQueue;
  /** Puts a delivery that goes out at `at`, with a row, into the queue. */
  replay(subscription: string, event: RecordedEvent, replay: number, at: number): void;
  wake(queue: SubscriptionQueue): void;
}

/**
 * Sends again what a subscription was sent before, or would have been: the events between two points of the log that it wants by its
 * present declaration. The row that says how far it is moves in the batch that makes the deliveries, so each goes out once.
 */
export class Replays {
  readonly #active = new Map<string, ReplayRecord>();
  readonly #room = new Map<string, PromiseWithResolvers<void>>();

  constructor(
    private readonly host: ReplayHost,
    private readonly parts: { book: SubscriptionBook; log: LogSource; clock: Clock; logger: Logger },
  ) {
    host.stopping.addEventListener('abort', () => {
      for (const subscription of this.#room.keys()) this.#madeRoom(subscription);
    });
  }

  /** Takes up what the last owner left. */
  restore(record: ReplayRecord): void {
    this.#active.set(deliveryKey(record.subscription, record.position), record);
    void this.#run(record);
  }

  /** The log asks for a replay. */
  requested(event: RecordedEvent): void {
    const { name, replay } = replayRequestedSchema.parse(event.data);
    if (this.#active.has(deliveryKey(name, event.position))) return;
    const record: ReplayRecord = { subscription: name, position: event.position, next: -1, spec: replay };
    this.host.ledger.note((batch) => batch.replay(name, event.position, record));
    this.restore(record);
  }

  /** A delivery has left the queue. */
  roomIn(queue: SubscriptionQueue): void {
    if (queue.size < MOST_WAITING) this.#madeRoom(queue.name);
  }

  /** The subscription is gone. */
  removed(subscription: string): void {
    for (const [key, record] of this.#active) {
      if (record.subscription !== subscription) continue;
      this.#active.delete(key);
      this.host.ledger.note((batch) => batch.replay(subscription, record.position, null));
    }
    this.#madeRoom(subscription);
  }

  async #run(start: ReplayRecord): Promise<void> {
    const key = deliveryKey(start.subscription, start.position);
    let record = start;
    let at = this.parts.clock.now();
    while (!this.host.stopping.aborted && this.#active.has(key)) {
      try {
        const until = await this.#end(record);
        const after = record.next >= 0 ? record.next : await this.parts.log.startOf(record.spec.from);
        if (after >= until) {
          await this.#finish(key, record);
          return;
        }
        await this.#roomFor(record.subscription);
        const { types, subject } = record.spec;
        const page = await this.parts.log.read({
          after,
          limit: PAGE,
          ...(types === undefined ? {} : { types }),
          ...(subject === undefined ? {} : { subject }),
        });
        if (this.host.stopping.aborted || !this.#active.has(key)) return;
        at = this.#takePage(
          record,
          page.events.filter((event) => event.position <= until),
          at,
        );
        record = { ...record, next: Math.min(page.next, until) };
        const moved = record;
        this.host.ledger.note((batch) => batch.replay(moved.subscription, moved.position, moved));
      } catch (error) {
        this.parts.logger.warn({ err: error, replay: record }, 'cannot read on for a replay, trying again');
        // Aborted while waiting is what ends the wait.
        await pause(RETRY_MS, this.host.stopping);
      }
    }
  }

  #takePage(record: ReplayRecord, events: readonly RecordedEvent[], from: number): number {
    const { subscription, position, spec } = record;
    const clause = this.parts.book.current(subscription)?.spec;
    const queue = this.host.queueOf(subscription);
    let at = Math.max(from, this.parts.clock.now());
    for (const event of events) {
      // What waits to be sent anyway is not sent twice.
      if (clause === undefined || !clauseMatches(clause, event, askFilter) || queue.at(event.position) !== undefined)
        continue;
      this.host.replay(subscription, event, position, at);
      at += 1_000 / spec.perSecond;
    }
    this.host.wake(queue);
    return at;
  }

  /** The row stays until a reading that begins at the checkpoint no longer meets the request. */
  async #finish(key: string, record: ReplayRecord): Promise<void> {
    while (!this.host.stopping.aborted && this.host.ledger.checkpoint < record.position) {
      await pause(RETRY_MS, this.host.stopping);
    }
    if (!this.#active.delete(key) || this.host.stopping.aborted) return;
    this.host.ledger.note((batch) => batch.replay(record.subscription, record.position, null));
  }

  async #end(record: ReplayRecord): Promise<number> {
    const { to } = record.spec;
    return to === undefined ? record.position : Math.min(await this.parts.log.startOf(to), record.position);
  }

  async #roomFor(subscription: string): Promise<void> {
    if (this.host.stopping.aborted || this.host.queueOf(subscription).size < MOST_WAITING) return;
    // Several replays of one subscription wait for the same.
    const room = this.#room.get(subscription) ?? Promise.withResolvers<void>();
    this.#room.set(subscription, room);
    await room.promise;
  }

  #madeRoom(subscription: string): void {
    this.#room.get(subscription)?.resolve();
    this.#room.delete(subscription);
  }
}
