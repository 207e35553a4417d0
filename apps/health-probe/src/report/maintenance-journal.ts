import { HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import { episodeId, isTocsinError, newId, type Clock, type EventToAppend, type RecordedEvent } from '@tocsin/domain';
import { type Logger, pause, Pump } from '@tocsin/platform';
import type { Target } from '../targets/target.js';
import type { HealthLog } from './health-log.js';
import { Stopping } from './stopping.js';

/** Targets in one request, as `RecordedReader` reads them. */
const BATCH = 250;
const RETRY_MS = { first: 100, longest: 5_000 };

/** A window a target is in. */
export interface OpenWindow {
  name: string;
  /** Epoch milliseconds. */
  startMs: number;
  endMs: number;
}

export interface MaintenanceJournalDeps {
  log: HealthLog;
  clock: Clock;
  logger: Logger;
  /** The window that a target with these labels is in now. */
  windowOver: (labels: Readonly<Record<string, string>>) => OpenWindow | undefined;
  /** Resolves when the windows are known. */
  known: Promise<unknown>;
}

/**
 * Says of each target when maintenance begins and ends for it, once each, whoever watches it meanwhile: what has been said is read from the
 * log, and each word names the version it builds on.
 */
export class MaintenanceJournal {
  readonly #deps: MaintenanceJournalDeps;
  readonly #abort = new AbortController();
  readonly #stopping = new Stopping();
  readonly #begun: Promise<void>;
  /** By subject: the target, and whether it is said to be in maintenance; undefined until the log has been read. */
  readonly #targets = new Map<string, { target: Target; said: boolean | undefined }>();
  readonly #working = new Pump(() => this.#work());

  constructor(deps: MaintenanceJournalDeps) {
    this.#deps = deps;
    this.#begun = this.#stopping.orUntil(deps.known);
  }

  track(target: Target): void {
    this.#targets.set(target.subject, { target, said: this.#targets.get(target.subject)?.said });
    this.look();
  }

  untrack(target: Target): void {
    if (this.#targets.get(target.subject)?.target === target) this.#targets.delete(target.subject);
  }

  /** A window has begun or ended, or something new is watched. */
  look(): void {
    if (this.#abort.signal.aborted) return;
    void this.#working.wake();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopping.begin();
    await this.#working.idle();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { signal } = this.#abort;
    await this.#begun;
    let retryMs = RETRY_MS.first;
    while (!signal.aborted) {
      const batch = this.#due();
      if (batch.length === 0) return;
      try {
        await this.#say(batch);
        retryMs = RETRY_MS.first;
      } catch (error) {
        if (signal.aborted) return;
        const level = isTocsinError(error, 'TCN_VERSION_CONFLICT') ? 'debug' : 'warn';
        this.#deps.logger[level]({ err: error, targets: batch.length }, 'maintenance cannot be told yet');
        await pause(retryMs, signal);
        retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
      }
    }
  }

  /** Targets of which it is not known what was said, or something else is so. */
  #due(): Target[] {
    const due: Target[] = [];
    for (const { target, said } of this.#targets.values()) {
      if (said === undefined || said !== (this.#deps.windowOver(target.spec.labels) !== undefined)) due.push(target);
      if (due.length === BATCH) break;
    }
    return due;
  }

  async #say(targets: readonly Target[]): Promise<void> {
    const { log } = this.#deps;
    const { events: newest, versions } = await log.latestMaintenance(targets.map(({ subject }) => subject));
    const open = (target: Target) => newest.get(target.subject)?.type.endsWith('-started') === true;
    const events = targets.flatMap((target) => {
      const window = this.#deps.windowOver(target.spec.labels);
      if ((window !== undefined) === open(target)) return [];
      return window === undefined ? this.#ended(target, newest.get(target.subject)) : this.#started(target, window);
    });
    const expect = Object.fromEntries(events.map(({ subject }) => [subject, versions[subject] ?? 0]));
    if (events.length > 0) await log.append({ events, expect });
    const changed = new Set(events.map(({ subject }) => subject));
    for (const target of targets) {
      const entry = this.#targets.get(target.subject);
      if (entry !== undefined) entry.said = open(target) !== changed.has(target.subject);
    }
  }

  #started(target: Target, { name, startMs, endMs }: OpenWindow): EventToAppend {
    return this.#event(target, 'maintenance-started', episodeId(`maintenance/${name}/${target.subject}`, startMs), {
      window: name,
      endsAt: new Date(endMs).toISOString(),
    });
  }

  #ended(target: Target, started: RecordedEvent | undefined): EventToAppend {
    const window = (started?.data as { window?: unknown } | undefined)?.window;
    const episode = started?.extensions['episode'];
    return this.#event(target, 'maintenance-ended', typeof episode === 'string' ? episode : undefined, {
      ...(typeof window === 'string' ? { window } : {}),
    });
  }

  #event(
    { name, subject, spec, health }: Target,
    fact: string,
    episode: string | undefined,
    more: { window?: string; endsAt?: string },
  ): EventToAppend {
    const nowMs = this.#deps.clock.now();
    return {
      id: newId('evt', nowMs),
      source: HEALTH_PROBE_SOURCE,
      type: `io.tocsin.${spec.kind}.${fact}`,
      subject,
      time: new Date(nowMs).toISOString(),
      extensions: episode === undefined ? {} : { episode },
      datacontenttype: 'application/json',
      data: { target: name, kind: spec.kind, labels: spec.labels, state: health.announced, ...more },
    };
  }
}
