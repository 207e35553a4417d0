import { type Answer, Receiver, type ReceivedRequest } from '@tocsin/testing';
import { setTimeout as delay } from 'node:timers/promises';
import type { Arrival } from './judge.js';

/** What a receiver does with a request. `nth`: how often this event has come by now, from 1. */
export type Behaviour = (arrival: Arrival, nth: number) => Answer | Promise<Answer>;

const HEALTHY: Behaviour = () => ({ status: 204 });

/** One subscriber: a receiver outside of Tocsin that keeps its own books. */
export class Subscriber {
  readonly arrivals: Arrival[] = [];
  /** What it has to be told, in order for each subject. */
  readonly must: { subject: string; says: string }[] = [];
  #behaviour: Behaviour = HEALTHY;
  readonly #times = new Map<string, number>();
  readonly #taken = new Set<string>();

  private constructor(
    readonly name: string,
    readonly types: readonly string[],
    readonly receiver: Receiver,
    /** More of its declaration, over the usual. */
    readonly spec: object,
  ) {
    receiver.respond((request) => this.#answer(request));
  }

  static async start(name: string, types: readonly string[], spec: object = {}): Promise<Subscriber> {
    return new Subscriber(name, types, await Receiver.start(), spec);
  }

  /** From now on it answers like this; without an argument as a healthy one. */
  behaves(behaviour: Behaviour = HEALTHY): void {
    this.#behaviour = behaviour;
  }

  /** How many different events it has taken. */
  get taken(): number {
    return this.#taken.size;
  }

  /** Has it been told everything it had to be told, as far as counting shows? */
  get toldAll(): boolean {
    return this.#taken.size >= this.must.length;
  }

  /** Has it taken an event that says this of this subject? */
  wasTold(says: string, subject: string): boolean {
    return this.arrivals.some((each) => each.accepted && each.says === says && each.subject === subject);
  }

  async close(): Promise<void> {
    await this.receiver.close();
  }

  async #answer(request: ReceivedRequest): Promise<Answer> {
    const arrival = read(request);
    this.arrivals.push(arrival);
    // The books are kept here; the receiver's own would only grow.
    this.receiver.clear();
    const nth = (this.#times.get(arrival.id) ?? 0) + 1;
    this.#times.set(arrival.id, nth);
    const { delayMs = 0, ...answer } = await this.#behaviour(arrival, nth);
    // Taken is taken from the moment a success is meant: whether its sender lives to see it is what the scenarios are about.
    const { status = 200, hang, reset } = answer;
    if (status >= 200 && status < 300 && hang === undefined && reset === undefined) {
      arrival.accepted = true;
      this.#taken.add(arrival.id);
    }
    if (delayMs > 0) await delay(delayMs);
    if (hang === undefined) arrival.endedMs = performance.now();
    return answer;
  }
}

function read({ headers, json, monotonicMs, verified }: ReceivedRequest): Arrival {
  const event = json as { type: string; subject?: string; source: string; position: number; data?: { n?: number } };
  const fact = event.type.split('.').at(-1) ?? event.type;
  return {
    id: String(headers['webhook-id']),
    subject: event.subject ?? event.source,
    says: event.data?.n === undefined ? fact : `${fact} ${event.data.n}`,
    position: event.position,
    beganMs: monotonicMs,
    accepted: false,
    signed: verified === true,
  };
}
