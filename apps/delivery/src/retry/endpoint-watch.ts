import {
  DELIVERY_EVENTS,
  DELIVERY_SOURCE,
  subscriptionHealthSubject,
  type SubscriptionHealth,
} from '@tocsin/contracts';
import {
  breakerRecords,
  type BreakerSignal,
  type DisabledReason,
  type EndpointFact,
  endpointAfter,
  type EventToAppend,
  newId,
  retryAfterPauseMs,
  type Verdict,
} from '@tocsin/domain';
import type { EndpointRecord } from '../ledger/records.js';
import type { SubscriptionQueue } from '../send/subscription-queue.js';

/** How an attempt ended, as far as its endpoint is concerned. */
export interface Learnt {
  verdict: Verdict;
  signal: BreakerSignal;
  /** It went out as the one probe of an open breaker. */
  probe: boolean;
  retryAfterMs: number | undefined;
  /** A status, or the class of the error. */
  answer: string;
  position: number;
  nowMs: number;
}

/** Where the watch puts what it decides; all of one call goes into one batch. */
export interface WatchOutput {
  /** Keeps a row; null takes it away. */
  keep(subscription: string, record: EndpointRecord | null): void;
  announce(event: EventToAppend): void;
  /** Sends nothing more to the subscription, and keeps what it is owed. */
  disable(subscription: string, reason: DisabledReason): void;
  /** Position of the declaration in force. */
  revisionOf(subscription: string): number;
}

/** What is known of the endpoints of one shard's subscriptions, from how attempts end; tells what is worth an event. */
export class EndpointWatch {
  readonly #records = new Map<string, EndpointRecord>();

  constructor(private readonly output: WatchOutput) {}

  /** Takes up what the last owner knew. */
  restore(record: EndpointRecord): void {
    this.#records.set(record.subscription, record);
  }

  /** Takes in how an attempt ended. */
  learn(queue: SubscriptionQueue, learnt: Learnt): void {
    const { verdict, signal, probe, nowMs } = learnt;
    const rested = queue.breaker.phase !== 'closed';
    queue.breaker = breakerRecords(queue.breaker, { signal, probe, nowMs });
    if (rested && queue.breaker.phase === 'closed') queue.window.recovered();
    if (signal === 'success') queue.window.succeeded(queue.inFlight);
    else if (signal === 'failure') queue.window.failed();
    const known = this.#records.get(queue.name) ?? this.#fresh(queue.name);
    let record = known;
    if (verdict !== 'success') {
      const until = nowMs + retryAfterPauseMs(learnt.retryAfterMs);
      if (until > Math.max(nowMs, queue.heldUntil)) {
        queue.heldUntil = until;
        record = { ...record, heldUntil: until };
      }
    }
    const { health, facts } = endpointAfter(record.health, {
      verdict,
      endpointFailed: signal === 'failure',
      resting: queue.breaker.phase === 'open',
      nowMs,
    });
    if (health !== record.health) record = { ...record, health };
    if (record !== known) this.#keep(record);
    for (const fact of facts) this.output.announce(this.#eventOf(record, fact, learnt));
    const disabled = facts.find((fact) => fact.fact === 'disabled');
    if (disabled !== undefined) this.output.disable(queue.name, disabled.reason);
  }

  /** How long a Retry-After holds the endpoint, epoch milliseconds; 0 where none does. */
  heldUntil(subscription: string): number {
    return this.#records.get(subscription)?.heldUntil ?? 0;
  }

  /**
   * The subscription was declared anew: what disabled it, or held it, no longer does.
   * @returns false if this declaration was acted upon before, which a reading that was set back brings again
   */
  declared(subscription: string, revision: number, remember: boolean): boolean {
    const known = this.#records.get(subscription);
    if (known !== undefined && known.revision >= revision) return false;
    if (known === undefined && !remember) return true;
    const health = known?.health.disabled === undefined ? (known?.health ?? {}) : {};
    this.#keep({ subscription, revision, health, heldUntil: null });
    return true;
  }

  /** Was a declaration at that position, or a later one, acted upon? */
  knows(subscription: string, revision: number): boolean {
    return (this.#records.get(subscription)?.revision ?? -1) >= revision;
  }

  /** The subscription is gone. */
  removed(subscription: string): void {
    if (this.#records.delete(subscription)) this.output.keep(subscription, null);
  }

  #fresh(subscription: string): EndpointRecord {
    return { subscription, revision: this.output.revisionOf(subscription), health: {}, heldUntil: null };
  }

  #keep(record: EndpointRecord): void {
    this.#records.set(record.subscription, record);
    this.output.keep(record.subscription, record);
  }

  #eventOf({ subscription: name, revision }: EndpointRecord, fact: EndpointFact, learnt: Learnt): EventToAppend {
    const data: SubscriptionHealth = {
      name,
      ...(fact.sinceMs === undefined ? {} : { since: new Date(fact.sinceMs).toISOString() }),
      ...('warning' in fact && fact.warning !== undefined ? { warning: fact.warning } : {}),
      ...('reason' in fact ? { reason: fact.reason } : {}),
      ...(learnt.verdict === 'success' ? {} : { answer: learnt.answer }),
      position: learnt.position,
      revision,
    };
    return {
      id: newId('evt', learnt.nowMs),
      source: DELIVERY_SOURCE,
      type: DELIVERY_EVENTS[fact.fact],
      subject: subscriptionHealthSubject(name),
      time: new Date(learnt.nowMs).toISOString(),
      data,
    };
  }
}
