import {
  breakerRecords,
  breakerSignal,
  classifyOutcome,
  type Clock,
  isTocsinError,
  nextAttempt,
  type Random,
  type RecordedEvent,
  retryAfterPauseMs,
  webhookId,
} from '@tocsin/domain';
import type { SealedDestination } from '@tocsin/contracts';
import type { Logger } from '@tocsin/platform';
import { type AttemptOutcome, renderRequest, type Sender } from '@tocsin/webhook';
import { createHash } from 'node:crypto';
import type { AttemptRecord } from '../ledger/shard-ledger.js';
import type { LogSource } from '../match/log-source.js';
import type { SubscriptionBook } from '../match/subscription-book.js';
import type { DeliveryStatistics } from './delivery-statistics.js';
import type { SealedDestinations } from './sealed-destinations.js';
import type { Delivery, SubscriptionQueue } from './subscription-queue.js';

/** Wait before asking again for what a service did not give, milliseconds. It costs the delivery no attempt. */
const NOT_READY_WAIT_MS = 1_000;
/** A delivery that waits longer than this lets go of its event; it is read again from the log when its turn comes. */
const KEEP_EVENT_MS = 60_000;

/** What an attempt needs. */
export interface AttemptSenderParts {
  sender: Sender;
  destinations: SealedDestinations;
  book: SubscriptionBook;
  log: LogSource;
  statistics: DeliveryStatistics;
  clock: Clock;
  random: Random;
  logger: Logger;
  worker: string;
  /** Aborted when the process stops: attempts under way end and do not count. */
  stopping: AbortSignal;
}

/** Makes one attempt of one delivery, judges it, and has it recorded before anything else of its lane may go out. */
export class AttemptSender {
  constructor(private readonly parts: AttemptSenderParts) {}

  /** A {@link import('./dispatcher.js').Send}. */
  readonly send = async (delivery: Delivery, queue: SubscriptionQueue, probe: boolean): Promise<void> => {
    const { clock, logger } = this.parts;
    try {
      const [event, destination] = await Promise.all([
        delivery.event ?? this.#eventAt(delivery.position),
        this.parts.destinations.of(delivery.subscription),
      ]);
      delivery.event = event;
      await this.#attempt(delivery, queue, probe, event, destination);
    } catch (error) {
      // Losing the shard ends this process's part in it; anything else here is a part of Tocsin that is not ready.
      const lost = isTocsinError(error, 'TCN_FENCED');
      if (!lost) {
        logger.warn(
          { err: error, subscription: delivery.subscription, position: delivery.position },
          'attempt not made',
        );
      }
      queue.breaker = breakerRecords(queue.breaker, { signal: 'neutral', probe, nowMs: clock.now() });
      queue.heldUntil = lost ? Number.POSITIVE_INFINITY : Math.max(queue.heldUntil, clock.now() + NOT_READY_WAIT_MS);
      queue.putBack(delivery, delivery.nextAt);
    }
  };

  async #attempt(
    delivery: Delivery,
    queue: SubscriptionQueue,
    probe: boolean,
    event: RecordedEvent,
    destination: SealedDestination,
  ): Promise<void> {
    const { clock, random, sender, statistics, stopping } = this.parts;
    const revision = this.parts.book.current(delivery.subscription);
    if (revision === undefined || !queue.has(delivery)) {
      queue.finish(delivery);
      return;
    }
    const startedAt = clock.now();
    const request = renderRequest({
      destination: { ...revision.spec.destination, url: destination.url, headers: destination.headers },
      event,
      secrets: destination.signingSecrets
        .filter((secret) => secret.notAfter === undefined || secret.notAfter > startedAt)
        .map((secret) => secret.secret),
      nowMs: startedAt,
    });
    const outcome = await sender.send({ ...request, signal: stopping });
    const nowMs = clock.now();
    const verdict = classifyOutcome(outcome);
    if (verdict === 'interrupted') {
      queue.putBack(delivery, delivery.nextAt);
      return;
    }
    queue.breaker = breakerRecords(queue.breaker, { signal: breakerSignal(outcome), probe, nowMs });
    if (verdict !== 'success')
      queue.heldUntil = Math.max(queue.heldUntil, nowMs + retryAfterPauseMs(outcome.retryAfterMs));
    delivery.attempts += 1;
    statistics.attempted(verdict);
    const record = this.#record(delivery, event, outcome, { startedAt, verdict, url: request.url });

    if (verdict === 'success') {
      statistics.succeeded(nowMs - Date.parse(event.recordedAt));
      await this.#settle(delivery, queue, record);
      return;
    }
    const next = nextAttempt({
      attemptsMade: delivery.attempts,
      verdict,
      retryAfterMs: outcome.retryAfterMs,
      nowMs,
      random,
    });
    if (next.dead === undefined) {
      record.nextAt = next.at;
      await this.#keep(delivery, queue, record, next.at);
    } else if (next.disable) {
      queue.shard.disable(delivery.subscription, next.reason);
      await this.#keep(delivery, queue, record, nowMs);
    } else {
      statistics.gaveUp(next.reason);
      record.outcome = 'dead';
      await this.#settle(delivery, queue, record, next.reason);
    }
  }

  /** Delivered, or dead for a reason: one batch takes away the row and puts down how it ended. */
  async #settle(delivery: Delivery, queue: SubscriptionQueue, record: AttemptRecord, deadFor?: string): Promise<void> {
    const { ledger } = queue.shard;
    const { subscription, position, attempts } = delivery;
    queue.shard.accounted(delivery);
    const written = [ledger.attempt(record)];
    if (delivery.hasRow) written.push(ledger.pending(subscription, position, null));
    if (deadFor !== undefined) {
      written.push(ledger.dead({ subscription, position, attempts, reason: deadFor, at: this.parts.clock.now() }));
    }
    this.#log(record, deadFor);
    await Promise.all(written);
    queue.finish(delivery);
    queue.shard.settled(queue);
  }

  /** To be tried again: the row says when, also to whoever owns the shard by then. */
  async #keep(delivery: Delivery, queue: SubscriptionQueue, record: AttemptRecord, at: number): Promise<void> {
    const { ledger } = queue.shard;
    delivery.nextAt = at;
    delivery.hasRow = true;
    queue.shard.accounted(delivery);
    this.#log(record);
    await Promise.all([ledger.attempt(record), ledger.pending(delivery.subscription, delivery.position, delivery)]);
    if (at - this.parts.clock.now() > KEEP_EVENT_MS) delivery.event = undefined;
    queue.putBack(delivery, at);
  }

  #record(
    delivery: Delivery,
    event: RecordedEvent,
    outcome: AttemptOutcome,
    made: { startedAt: number; verdict: string; url: string },
  ): AttemptRecord {
    return {
      subscription: delivery.subscription,
      position: delivery.position,
      webhookId: webhookId(event),
      eventType: event.type,
      eventSubject: event.subject,
      number: delivery.attempts,
      startedAt: made.startedAt,
      delivered: made.verdict === 'success',
      outcome: made.verdict === 'success' ? 'delivered' : made.verdict,
      status: outcome.kind === 'response' ? outcome.status : undefined,
      errorClass: outcome.kind === 'error' ? outcome.errorClass : undefined,
      detail: outcome.kind === 'error' ? outcome.detail : undefined,
      address: outcome.address,
      // The URL itself may be a secret; its hash tells two of them apart.
      urlHash: createHash('sha256').update(made.url).digest('hex').slice(0, 16),
      phasesMs: { ...outcome.phasesMs },
      responseBytes: outcome.responseBytes,
      bodyHead: outcome.bodyHead,
      nextAt: undefined,
      worker: this.parts.worker,
      traceId: undefined,
    };
  }

  #log(record: AttemptRecord, deadFor?: string): void {
    const { bodyHead: _kept, ...line } = record;
    const level = deadFor === undefined ? 'info' : 'warn';
    this.parts.logger[level]({ ...line, deadFor }, `attempt ${record.number}: ${record.outcome}`);
  }

  async #eventAt(position: number): Promise<RecordedEvent> {
    const event = await this.parts.log.at(position);
    if (event === undefined) throw new Error(`the log has no event at position ${position}`);
    return event;
  }
}
