import { HEALTH_PROBE_SOURCE, REGISTRY_EVENTS, type TargetKind } from '@tocsin/contracts';
import { type Clock, isTocsinError, type RecordedEvent } from '@tocsin/domain';
import { pause, Pump } from '@tocsin/platform';
import type { Queryable } from '@tocsin/postgres';
import type { RegistryLog } from '../log/registry-log.js';
import type { ProjectionListener } from '../projection/projector.js';
import { closingEvent } from './closing-event.js';

/** Pause after a failure. */
const RETRY_MS = 1_000;
/** Subjects asked for at once; the log takes 5,000. */
const CHUNK = 1_000;

// Index: target_health_open.
const ORPHANS = `
  SELECT h.kind, h.name
    FROM registry.target_health h
   WHERE h.state <> 'up'
     AND NOT EXISTS (SELECT FROM registry.target t WHERE t.name = h.name AND t.kind = h.kind)
   ORDER BY h.kind, h.name`;

const ENDINGS = new Set<string>([REGISTRY_EVENTS.targetRegistered, REGISTRY_EVENTS.targetRemoved]);

/**
 * Ends outages of targets that are not watched any more where removing them could not: a change of kind leaves the outage of the old
 * kind open, and an observer may confirm a change in the moment in which its target goes. Every replica looks; the versions let one of
 * them say it.
 */
export class OutageCloser implements ProjectionListener {
  readonly #database: Queryable;
  readonly #log: RegistryLog;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #running = new Pump(() => this.#run());

  constructor(options: { database: Queryable; log: RegistryLog; clock: Clock; onError: (error: unknown) => void }) {
    this.#database = options.database;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#onError = options.onError;
  }

  projected(events: readonly RecordedEvent[]): void {
    if (events.some((event) => ENDINGS.has(event.type) || saysNotUp(event))) this.#look();
  }

  caughtUp(): void {
    this.#look();
  }

  /** Ends; an append under way is finished. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running.idle();
  }

  #look(): void {
    void this.#running.wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#close();
        return;
      } catch (error) {
        this.#onError(error);
        await pause(RETRY_MS, signal);
      }
    }
  }

  async #close(): Promise<void> {
    const orphans = await this.#database.query<{ kind: TargetKind; name: string }>(ORPHANS);
    for (let start = 0; start < orphans.length; start += CHUNK) {
      const states = await this.#log.newestStates(orphans.slice(start, start + CHUNK));
      for (const state of states) {
        const closing = closingEvent({ ...state, nowMs: this.#clock.now() });
        if (closing !== undefined) await this.#append(closing);
      }
    }
  }

  async #append(closing: NonNullable<ReturnType<typeof closingEvent>>): Promise<void> {
    try {
      await this.#log.append([closing]);
    } catch (error) {
      // Another replica was first, or an observer has said something new, which brings this here again.
      if (!isTocsinError(error, 'TCN_VERSION_CONFLICT')) throw error;
    }
  }
}

/** Rough, and cheap: the table decides. */
function saysNotUp({ source, data }: RecordedEvent): boolean {
  if (source !== HEALTH_PROBE_SOURCE || data === null || typeof data !== 'object' || Array.isArray(data)) return false;
  return data?.['to'] !== undefined && data['to'] !== 'up';
}
