import { TocsinError } from '@tocsin/domain';
import type { z } from 'zod';
import type { Broker, Serving } from './broker.js';
import { NatsUnderTest } from './jetstream.harness.js';
import type { ServeOptions } from './responder.js';

/** Two connections to one NATS: one asks, the other serves. */
export class BrokerPair {
  readonly #servings: Serving[] = [];

  private constructor(
    readonly nats: NatsUnderTest,
    readonly asking: Broker,
    readonly serving: Broker,
  ) {}

  static async start(): Promise<BrokerPair> {
    const nats = await NatsUnderTest.start();
    return new BrokerPair(nats, await nats.broker('asking'), await nats.broker('serving'));
  }

  /** Until {@link rest}; resolves when requests get there. */
  async serve<S extends z.ZodType, R>(subject: string, options: ServeOptions<S, R>): Promise<Serving> {
    const one = this.serving.serve(subject, options);
    this.#servings.push(one);
    await one.ready;
    return one;
  }

  /** Nothing is served any more. */
  async rest(): Promise<void> {
    await Promise.all(this.#servings.splice(0).map((one) => one.close()));
  }

  dispose(): Promise<void> {
    return this.nats.dispose();
  }
}

/** The error that `work` ends in. */
export async function failure(work: Promise<unknown>): Promise<TocsinError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof TocsinError) return error;
  throw new Error(`expected a TocsinError, got ${String(error)}`);
}

/** Lets nothing else run in this process, milliseconds. */
export function blockFor(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
