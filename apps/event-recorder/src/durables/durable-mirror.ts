import { setTimeout as delay } from 'node:timers/promises';
import { DURABLE_RPC, durablePositionRequestSchema } from '@tocsin/contracts';
import { type Clock, isTocsinError } from '@tocsin/domain';
import type { Broker, EventDurables } from '@tocsin/jetstream';
import { type Logger, pause } from '@tocsin/platform';
import type { LeaderDuty } from '../append/append-leader.js';
import type { DurableTable } from './durable-table.js';
import { planMirror } from './mirror-plan.js';

/**
 * How often the broker is looked at, milliseconds. What a consumer acknowledged within the last one before the broker was lost, it may
 * get again, unless it lives and knows better.
 */
const LOOK_MS = 1_000;
/** A durable that is not to be seen for so long has been removed; before that a part of the cluster may just be away. */
const FORGET_MS = 60_000;
const END_MS = 500;

interface MirrorParts {
  broker: Pick<Broker, 'serve'>;
  durables: EventDurables;
  table: DurableTable;
  clock: Clock;
  logger: Logger;
}

/**
 * The leader's duty to remember the durables of stream EVENTS outside of the broker: every second it writes down how far each has
 * acknowledged, and after the broker has lost the stream it makes them again to go on from there. Positions are the same as before.
 */
export class DurableMirror implements LeaderDuty {
  readonly #missingSinceMs = new Map<string, number>();
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #served: { close(): Promise<void> } | undefined;
  #trouble: string | undefined;

  constructor(private readonly parts: MirrorParts) {}

  begin(): void {
    this.#stopping = new AbortController();
    this.#missingSinceMs.clear();
    this.#running = this.#run(this.#stopping.signal);
    this.#served = this.parts.broker.serve(DURABLE_RPC.position, {
      queue: 'durable-mirror',
      schema: durablePositionRequestSchema,
      handle: async ({ durable }) => {
        const acked = await this.#lostAt(durable);
        return acked === undefined ? {} : { acked };
      },
    });
  }

  async end(): Promise<void> {
    this.#stopping.abort();
    // A look that waits for a broker that does not answer must not keep the lead from going to another recorder.
    await Promise.all([Promise.race([this.#running, delay(END_MS)]), this.#served?.close()]);
    this.#served = undefined;
  }

  /** How far a durable had acknowledged that was lost with its stream. One that was removed from a stream that is still there is not lost. */
  async #lostAt(name: string): Promise<number | undefined> {
    const { durables, table } = this.parts;
    const remembered = (await table.all()).find((durable) => durable.name === name);
    const stream = await durables.stream();
    return remembered?.streamCreatedAt === stream?.createdAt ? undefined : remembered?.acked;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#look();
        this.#trouble = undefined;
      } catch (error) {
        if (!signal.aborted) this.#report(error);
      }
      await pause(LOOK_MS, signal);
    }
  }

  async #look(): Promise<void> {
    const { durables, table, logger } = this.parts;
    const before = await durables.stream();
    if (before === undefined) return;
    const live = await durables.list();
    const stream = await durables.stream();
    // Made anew in between: what was listed may be of the one or of the other.
    if (stream === undefined || stream.createdAt !== before.createdAt) return;
    const plan = planMirror(await table.all(), live, stream.createdAt);
    for (const durable of plan.restore) {
      const { acked } = await durables.restore(durable, stream);
      logger.info({ durable: durable.name, acked, remembered: durable.acked }, 'made a lost durable again');
    }
    // What was made again is seen, and remembered with its new stream, at the next look.
    await table.save(plan.save);
    await table.forget(this.#removed(plan.missing));
  }

  /** Those that have been missing for long enough. */
  #removed(missing: readonly string[]): string[] {
    const nowMs = this.parts.clock.monotonicMs();
    for (const name of this.#missingSinceMs.keys()) if (!missing.includes(name)) this.#missingSinceMs.delete(name);
    for (const name of missing) if (!this.#missingSinceMs.has(name)) this.#missingSinceMs.set(name, nowMs);
    return missing.filter((name) => nowMs - (this.#missingSinceMs.get(name) ?? nowMs) >= FORGET_MS);
  }

  /** The broker is away: that is the relay's to say. Anything else is said once for as long as it is the same. */
  #report(error: unknown): void {
    if (isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_TIMEOUT')) return;
    const message = error instanceof Error ? error.message : String(error);
    if (message !== this.#trouble)
      this.parts.logger.warn({ err: error }, 'cannot remember the durables of internal teams');
    this.#trouble = message;
  }
}
