import { breakerAdmits, type Clock } from '@tocsin/domain';
import TinyQueue from 'tinyqueue';
import type { Delivery, SubscriptionQueue } from './subscription-queue.js';

/** Requests in flight in one process: enough for a large fan-out, few enough for one event loop. */
export const PROCESS_SLOTS = 512;
/** Requests in flight to one endpoint. Far below a tenth of the slots, so that a receiver that hangs takes nobody else's. */
export const ENDPOINT_SLOTS = 4;
/** Longest sleep before looking again, milliseconds: timers beyond it would be lost over a step of the wall clock. */
const MAX_SLEEP_MS = 60_000;

/** What to do with a delivery whose turn it is. Must end with `finish` or `putBack` on the queue, and never throw. */
export type Send = (delivery: Delivery, queue: SubscriptionQueue, probe: boolean) => Promise<void>;

/**
 * Hands out this process's slots: round robin over the subscriptions that have something due, so that nobody waits for somebody
 * else's receiver. Asleep while nothing is due; the next due time is the only timer there is.
 */
export class Dispatcher {
  readonly #ready = new Set<SubscriptionQueue>();
  readonly #due = new TinyQueue<{ at: number; queue: SubscriptionQueue }>([], (a, b) => a.at - b.at);
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
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

  /** Starts nothing more, and resolves when what is in flight has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#running);
  }

  #pump(): void {
    while (!this.#stopped && this.#running.size < PROCESS_SLOTS) {
      const [queue] = this.#ready;
      if (queue === undefined) break;
      this.#ready.delete(queue);
      // Behind all others for its next one.
      if (this.#startOne(queue)) this.#ready.add(queue);
    }
    this.#sleep();
  }

  #startOne(queue: SubscriptionQueue): boolean {
    const nowMs = this.clock.now();
    if (queue.inFlight >= ENDPOINT_SLOTS || !queue.shard.mayStart()) return false;
    const admission = breakerAdmits(queue.breaker, { nowMs, inFlight: queue.inFlight });
    if (!admission.admitted) {
      if (admission.waitUntilMs !== undefined && queue.size > queue.inFlight) {
        this.#due.push({ at: admission.waitUntilMs, queue });
      }
      return false;
    }
    const delivery = queue.take(nowMs);
    if (delivery === undefined) {
      const at = queue.nextDueAt();
      if (at !== undefined && Number.isFinite(at)) this.#due.push({ at, queue });
      return false;
    }
    queue.breaker = admission.state;
    const run = this.send(delivery, queue, admission.probe).finally(() => {
      this.#running.delete(run);
      this.wake(queue);
    });
    this.#running.add(run);
    return true;
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    const next = this.#due.peek();
    if (next === undefined || this.#stopped) return;
    const wait = Math.min(Math.max(next.at - this.clock.now(), 0), MAX_SLEEP_MS);
    this.#timer = setTimeout(() => {
      const nowMs = this.clock.now();
      for (let due = this.#due.peek(); due !== undefined && due.at <= nowMs; due = this.#due.peek()) {
        this.#due.pop();
        this.#ready.add(due.queue);
      }
      this.#pump();
    }, wait);
  }
}
