import { breakerAdmits, type Clock, InFlight } from '@tocsin/domain';
import { untraced } from '@tocsin/tracing';
import TinyQueue from 'tinyqueue';
import type { Delivery, SubscriptionQueue } from './subscription-queue.js';

/** Requests in flight in one process: enough for a large fan-out, few enough for one event loop. */
export const PROCESS_SLOTS = 512;
/** A tenth of the slots for one receiver, over all its subscriptions, so that one that hangs takes nobody else's. */
export const ENDPOINT_SLOTS = Math.floor(PROCESS_SLOTS / 10);
/** Longest sleep before looking again, milliseconds: timers beyond it would be lost over a step of the wall clock. */
const MAX_SLEEP_MS = 60_000;

/**
 * Answers of one subscription that may wait to be recorded. A slot is free at the answer, so that the time of a commit does not bound
 * what an endpoint is given; but a crash repeats what is not recorded, so it is not for ever.
 */
export const MOST_RECORDING = 32;

/**
 * What to do with a delivery whose turn it is. Calls `answered` when nothing more goes over the network for it; must end with `finish` or
 * `putBack` on the queue, and never throw.
 */
export type Send = (
  delivery: Delivery,
  queue: SubscriptionQueue,
  probe: boolean,
  answered: () => void,
) => Promise<void>;

/**
 * Hands out this process's slots: round robin over the subscriptions that have something due, so that nobody waits for somebody
 * else's receiver. Asleep while nothing is due; the next due time is the only timer there is.
 */
export class Dispatcher {
  readonly #ready = new Set<SubscriptionQueue>();
  readonly #due = new TinyQueue<{ at: number; queue: SubscriptionQueue }>([], (a, b) => a.at - b.at);
  /** The earliest entry of each queue in `#due`: a queue that is woken a thousand times while it rests has one. */
  readonly #dueAt = new Map<SubscriptionQueue, number>();
  readonly #running = new InFlight();
  /** Requests in flight by receiver, and who waits for one of them to end. */
  readonly #endpoints = new Map<string, { inFlight: number; waiting: Set<SubscriptionQueue> }>();
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt: number | undefined;
  #stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly send: Send,
  ) {}

  /** Something about the queue has changed: it may have work now, or later. */
  wake(queue: SubscriptionQueue): void {
    this.#ready.add(queue);
    this.#pump();
  }

  /** Starts nothing more, and resolves when what is in flight has ended and is recorded. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running.none();
  }

  #pump(): void {
    while (!this.#stopped && this.#inFlight < PROCESS_SLOTS) {
      const [queue] = this.#ready;
      if (queue === undefined) break;
      this.#ready.delete(queue);
      // Behind all others for its next one.
      if (this.#startOne(queue)) this.#ready.add(queue);
    }
    this.#sleep();
  }

  #startOne(queue: SubscriptionQueue): boolean {
    const { inFlight, recording } = queue;
    if (queue.size === inFlight + recording || inFlight >= queue.window.limit || recording >= MOST_RECORDING)
      return false;
    if (!queue.shard.mayStart()) return false;
    const nowMs = this.clock.now();
    const admission = breakerAdmits(queue.breaker, { nowMs, inFlight });
    if (!admission.admitted) return this.#later(queue, admission.waitUntilMs);
    const dueAt = queue.nextDueAt();
    if (dueAt === undefined || dueAt > nowMs) return this.#later(queue, dueAt);
    const allowedAt = queue.rate?.readyAt(nowMs) ?? nowMs;
    if (allowedAt > nowMs) return this.#later(queue, allowedAt);
    if (!this.#takeSlot(queue)) return false;
    const delivery = queue.take(nowMs);
    if (delivery === undefined) {
      this.#freeSlot(queue.endpoint);
      return false;
    }
    queue.rate?.take(nowMs);
    queue.breaker = admission.state;
    const { endpoint } = queue;
    this.#inFlight += 1;
    let holdsSlot = true;
    const free = (): void => {
      if (!holdsSlot) return;
      holdsSlot = false;
      this.#inFlight -= 1;
      this.#freeSlot(endpoint);
    };
    const answered = (): void => {
      queue.answered(delivery);
      free();
      this.wake(queue);
    };
    // The turn may have come in the midst of another's attempt.
    this.#running.begin();
    void untraced(() => this.send(delivery, queue, admission.probe, answered)).finally(() => {
      this.#running.end();
      free();
      this.wake(queue);
    });
    return true;
  }

  #takeSlot(queue: SubscriptionQueue): boolean {
    let endpoint = this.#endpoints.get(queue.endpoint);
    if (endpoint === undefined) {
      endpoint = { inFlight: 0, waiting: new Set() };
      this.#endpoints.set(queue.endpoint, endpoint);
    }
    if (endpoint.inFlight >= ENDPOINT_SLOTS) {
      endpoint.waiting.add(queue);
      return false;
    }
    endpoint.inFlight += 1;
    return true;
  }

  #freeSlot(name: string): void {
    const endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) return;
    endpoint.inFlight -= 1;
    // One for each free slot; whoever has no use for it by now leaves it to the next that ends, and the last one wakes all.
    let free = endpoint.inFlight === 0 ? endpoint.waiting.size : ENDPOINT_SLOTS - endpoint.inFlight;
    for (const queue of endpoint.waiting) {
      if (free === 0) break;
      free -= 1;
      endpoint.waiting.delete(queue);
      this.#ready.add(queue);
    }
    if (endpoint.inFlight === 0) this.#endpoints.delete(name);
  }

  #later(queue: SubscriptionQueue, at: number | undefined): false {
    if (at === undefined || !Number.isFinite(at) || at >= (this.#dueAt.get(queue) ?? Number.POSITIVE_INFINITY)) {
      return false;
    }
    this.#dueAt.set(queue, at);
    this.#due.push({ at, queue });
    return false;
  }

  #sleep(): void {
    const next = this.#due.peek();
    if (next?.at === this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = undefined;
    if (next === undefined || this.#stopped) return;
    const wait = Math.min(Math.max(next.at - this.clock.now(), 0), MAX_SLEEP_MS);
    this.#wakesAt = next.at;
    this.#timer = setTimeout(() => this.#wakeDue(), wait);
  }

  #wakeDue(): void {
    this.#wakesAt = undefined;
    const nowMs = this.clock.now();
    for (let due = this.#due.peek(); due !== undefined && due.at <= nowMs; due = this.#due.peek()) {
      this.#due.pop();
      if (this.#dueAt.get(due.queue) === due.at) this.#dueAt.delete(due.queue);
      this.#ready.add(due.queue);
    }
    this.#pump();
  }
}
