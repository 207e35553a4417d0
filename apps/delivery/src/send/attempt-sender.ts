import {
  breakerRecords,
  breakerSignal,
  classifyOutcome,
  type Clock,
  isTocsinError,
  nextAttempt,
  parseDuration,
  type Random,
  type RecordedEvent,
  type Verdict,
} from '@tocsin/domain';
import type { Destination, SealedDestination, SubscriptionSpec } from '@tocsin/contracts';
import type { Logger } from '@tocsin/platform';
import type { AttemptOutcome, EventSender } from '@tocsin/webhook';
import type { AttemptRecord } from '../ledger/records.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import { attemptRecord } from './attempt-record.js';
import type { AttemptTrace, AttemptTraces } from './attempt-trace.js';
import type { DeliveryStatistics } from './delivery-statistics.js';
import type { Send } from './dispatcher.js';
import { fullDestination, secretsInUse } from './full-destination.js';
import type { SealedDestinations } from './sealed-destinations.js';
import type { Delivery, SubscriptionQueue } from './subscription-queue.js';

/** Wait before asking again for what a service did not give, milliseconds. It costs the delivery no attempt. */
const NOT_READY_WAIT_MS = 1_000;
/** A delivery that waits longer than this lets go of its event; it is read again from the log when its turn comes. */
const KEEP_EVENT_MS = 60_000;
/** Why a delivery is given up that cannot even be put into words for its destination. */
export const NOT_RENDERED = 'not-rendered';

/** What an attempt needs. */
export interface AttemptSenderParts {
  sender: Pick<EventSender, 'send'>;
  destinations: Pick<SealedDestinations, 'of'>;
  book: Pick<SubscriptionBook, 'current'>;
  log: Pick<LogSource, 'at'>;
  statistics: DeliveryStatistics;
  traces: AttemptTraces;
  clock: Clock;
  random: Random;
  logger: Logger;
  worker: string;
}

/** Makes one attempt of one delivery, judges it, and has it recorded before anything else of its lane may go out. */
export class AttemptSender {
  readonly #destinations = new WeakMap<SealedDestination, { spec: SubscriptionSpec; destination: Destination }>();

  constructor(private readonly parts: AttemptSenderParts) {}

  /** One attempt from beginning to record. */
  readonly send: Send = async (delivery, queue, probe, answered) => {
    const { clock, logger } = this.parts;
    try {
      const spec = this.parts.book.current(delivery.subscription)?.spec;
      if (spec === undefined || queue.removed) {
        this.#notJudged(queue, probe);
        await this.#giveUp(delivery, queue, 'subscription-removed');
        return;
      }
      const [event, sealed] = await Promise.all([
        delivery.event ?? this.#eventAt(delivery.position),
        this.parts.destinations.of(delivery.subscription),
      ]);
      delivery.event = event;
      const to = { destinationKind: spec.destination.kind, url: sealed.url };
      const trace = await this.parts.traces.begin(delivery, event, to);
      await trace.run(() => this.#attempt(delivery, queue, { event, sealed, spec, probe, trace, answered }));
    } catch (error) {
      // Losing the shard ends this process's part in it; anything else here is a part of Tocsin that is not ready.
      const lost = isTocsinError(error, 'TCN_FENCED');
      if (!lost) {
        logger.warn(
          { err: error, subscription: delivery.subscription, position: delivery.position },
          'attempt not made',
        );
      }
      this.#notJudged(queue, probe);
      queue.putBack(delivery, delivery.nextAt);
      queue.heldUntil = lost ? Number.POSITIVE_INFINITY : Math.max(queue.heldUntil, clock.now() + NOT_READY_WAIT_MS);
    }
  };

  async #attempt(
    delivery: Delivery,
    queue: SubscriptionQueue,
    made: {
      event: RecordedEvent;
      sealed: SealedDestination;
      spec: SubscriptionSpec;
      probe: boolean;
      trace: AttemptTrace;
      answered: () => void;
    },
  ): Promise<void> {
    const { clock, statistics } = this.parts;
    const startedAt = clock.now();
    const span = made.trace.ids;
    const outcome = await this.#outcomeOf(queue, made, startedAt);
    const nowMs = clock.now();
    const verdict = outcome === NOT_RENDERED ? 'dead' : classifyOutcome(outcome);
    made.trace.ended(outcome === NOT_RENDERED ? undefined : outcome, verdict);
    if (verdict === 'interrupted') {
      this.#notJudged(queue, made.probe);
      queue.putBack(delivery, delivery.nextAt);
      return;
    }
    delivery.attempts += 1;
    statistics.attempted(verdict);
    if (outcome === NOT_RENDERED) {
      this.#notJudged(queue, made.probe);
      await this.#giveUp(delivery, queue, NOT_RENDERED);
      return;
    }
    const { url } = made.sealed;
    const record = attemptRecord(delivery, made.event, outcome, {
      ...{ startedAt, verdict, url, span },
      worker: this.parts.worker,
    });
    queue.shard.learnt(queue, {
      verdict,
      signal: breakerSignal(outcome),
      probe: made.probe,
      retryAfterMs: outcome.retryAfterMs,
      answer: outcome.kind === 'response' ? String(outcome.status) : outcome.errorClass,
      position: delivery.position,
      nowMs,
    });
    // What was learnt of the endpoint decides whether another may go out.
    made.answered();
    if (verdict === 'success') {
      statistics.succeeded(nowMs - Date.parse(made.event.recordedAt));
      await this.#settle(delivery, queue, record);
    } else {
      await this.#failed(delivery, queue, record, { verdict, outcome, nowMs, spec: made.spec });
    }
  }

  async #outcomeOf(
    queue: SubscriptionQueue,
    made: { event: RecordedEvent; sealed: SealedDestination; spec: SubscriptionSpec },
    nowMs: number,
  ): Promise<AttemptOutcome | typeof NOT_RENDERED> {
    const { sealed, spec, event } = made;
    try {
      return await this.parts.sender.send({
        destination: this.#joined(spec, sealed),
        event,
        secrets: secretsInUse(sealed, nowMs),
        signal: queue.shard.signal,
      });
    } catch (error) {
      // Never thrown for anything a receiver does: this event cannot be said in this subscription's format, now or later.
      this.parts.logger.error(
        { err: error, subscription: queue.name, position: event.position },
        'an event cannot be rendered for its destination',
      );
      return NOT_RENDERED;
    }
  }

  /** Joined once for each declaration: a subscription is sent many events. */
  #joined(spec: SubscriptionSpec, sealed: SealedDestination): Destination {
    const known = this.#destinations.get(sealed);
    if (known?.spec === spec) return known.destination;
    const destination = fullDestination(spec, sealed);
    this.#destinations.set(sealed, { spec, destination });
    return destination;
  }

  async #failed(
    delivery: Delivery,
    queue: SubscriptionQueue,
    record: AttemptRecord,
    ended: { verdict: Exclude<Verdict, 'success'>; outcome: AttemptOutcome; nowMs: number; spec: SubscriptionSpec },
  ): Promise<void> {
    const { verdict, outcome, nowMs, spec } = ended;
    const next = nextAttempt({
      attemptsMade: delivery.attempts,
      verdict,
      retryAfterMs: outcome.retryAfterMs,
      // How often in a row is counted for the endpoint, which then is disabled with all that waits.
      blockedInARow: 0,
      nowMs,
      random: this.parts.random,
      ...(spec.retry === undefined ? {} : { schedule: spec.retry.schedule.map((text) => parseDuration(text) ?? 0) }),
    });
    if (verdict === 'blocked' && next.at !== undefined) {
      // They all have the same name to resolve.
      queue.heldUntil = Math.max(queue.heldUntil, next.at);
    }
    const newer = queue.newerThan(delivery);
    if (queue.removed) await this.#settle(delivery, queue, record, 'subscription-removed');
    else if (newer !== undefined) await this.#supersede(delivery, queue, record, newer);
    else if (next.dead === undefined) await this.#keep(delivery, queue, record, next.at);
    else if (next.disable) await this.#keep(delivery, queue, record, nowMs);
    else await this.#settle(delivery, queue, record, next.reason);
  }

  /** Delivered, or dead for a reason: one batch takes away the row and puts down how it ended. */
  async #settle(delivery: Delivery, queue: SubscriptionQueue, record: AttemptRecord, deadFor?: string): Promise<void> {
    const { ledger } = queue.shard;
    if (deadFor === undefined) {
      queue.shard.accounted(delivery);
    } else {
      record.outcome = 'dead';
      this.parts.statistics.gaveUp(deadFor);
      queue.shard.bury(delivery, deadFor);
    }
    this.#log(record, deadFor);
    await ledger.write((batch) => {
      batch.attempt(record);
      if (delivery.hasRow) batch.pending(delivery.subscription, delivery.position, null);
    });
    queue.finish(delivery);
    queue.shard.settled(queue, delivery, deadFor === undefined);
  }

  /** Given up without an attempt. */
  async #giveUp(delivery: Delivery, queue: SubscriptionQueue, reason: string): Promise<void> {
    this.parts.statistics.gaveUp(reason);
    await queue.shard.ledger.write(() => queue.shard.bury(delivery, reason));
    queue.finish(delivery);
    queue.shard.settled(queue, delivery, false);
  }

  /** It failed, and a newer event of its subject waits behind it. */
  async #supersede(delivery: Delivery, queue: SubscriptionQueue, record: AttemptRecord, by: Delivery): Promise<void> {
    this.#log(record);
    await queue.shard.ledger.write((batch) => {
      batch.attempt(record);
      queue.shard.supersede(delivery, by.position);
    });
    queue.finish(delivery);
    queue.shard.settled(queue, delivery, false);
  }

  /** To be tried again: the row says when, also to whoever owns the shard by then. */
  async #keep(delivery: Delivery, queue: SubscriptionQueue, record: AttemptRecord, at: number): Promise<void> {
    delivery.nextAt = at;
    delivery.hasRow = true;
    record.nextAt = at;
    queue.shard.accounted(delivery);
    this.#log(record);
    await queue.shard.ledger.write((batch) => {
      batch.attempt(record);
      batch.pending(delivery.subscription, delivery.position, delivery);
    });
    if (at - this.parts.clock.now() > KEEP_EVENT_MS) delivery.event = undefined;
    // While this was written, a newer one may have come.
    const newer = queue.newerThan(delivery);
    if (newer !== undefined) {
      await queue.shard.ledger.write(() => queue.shard.supersede(delivery, newer.position));
      queue.finish(delivery);
      queue.shard.settled(queue, delivery, false);
      return;
    }
    if (queue.removed) await this.#giveUp(delivery, queue, 'subscription-removed');
    else queue.putBack(delivery, at);
  }

  /** Nothing went out: the endpoint is not judged. */
  #notJudged(queue: SubscriptionQueue, probe: boolean): void {
    queue.breaker = breakerRecords(queue.breaker, { signal: 'neutral', probe, nowMs: this.parts.clock.now() });
  }

  #log(record: AttemptRecord, deadFor?: string): void {
    const level = deadFor === undefined ? 'info' : 'warn';
    if (!this.parts.logger.isLevelEnabled(level)) return;
    const { bodyHead: _kept, ...line } = record;
    this.parts.logger[level]({ ...line, deadFor }, `attempt ${record.number}: ${record.outcome}`);
  }

  async #eventAt(position: number): Promise<RecordedEvent> {
    const event = await this.parts.log.at(position);
    if (event === undefined) throw new Error(`the log has no event at position ${position}`);
    return event;
  }
}
