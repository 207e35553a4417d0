import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { DELIVERY_TALLY_RPC } from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { Queryable } from '@tocsin/postgres';
import { z } from 'zod';

/** Any replica may answer. */
const QUEUE = 'delivery';
/** All that ever arrived is counted anew no more often: it takes a walk through an index that grows for ever. */
const KEEP_MS = 10_000;

/** Index: attempt_delivered of each partition, which holds nothing else. */
const COUNT = `SELECT count(*) AS delivered FROM delivery.attempt WHERE delivered`;

/** Says how many deliveries have arrived: the last figure of the noise receipt. */
export class DeliveryTally implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #serving: Serving | undefined;
  #known: { delivered: number; atMs: number } | undefined;
  #counting: Promise<number> | undefined;

  constructor(
    private readonly broker: Pick<Broker, 'serve'>,
    private readonly database: Queryable,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.#serving = this.broker.serve(DELIVERY_TALLY_RPC, {
      queue: QUEUE,
      schema: z.object({}),
      handle: async () => ({ delivered: await this.delivered() }),
    });
  }

  /** While the database is still there. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#serving?.close();
  }

  /** Deliveries that have arrived, as of ten seconds ago or less. */
  async delivered(): Promise<number> {
    const known = this.#known;
    if (known !== undefined && this.clock.monotonicMs() - known.atMs < KEEP_MS) return known.delivered;
    return (this.#counting ??= this.#count().finally(() => (this.#counting = undefined)));
  }

  async #count(): Promise<number> {
    const [row] = await this.database.query<{ delivered: number }>(COUNT);
    const delivered = row?.delivered ?? 0;
    this.#known = { delivered, atMs: this.clock.monotonicMs() };
    return delivered;
  }
}
