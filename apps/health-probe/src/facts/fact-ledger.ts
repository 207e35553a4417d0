import { isDeepStrictEqual } from 'node:util';
import { HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import {
  isTocsinError,
  newId,
  type Clock,
  type EventToAppend,
  type ExtensionValue,
  type JsonObject,
  type Random,
  type RecordedEvent,
} from '@tocsin/domain';
import { type Logger, pause, Pump } from '@tocsin/platform';
import { AppendTurns } from '../report/append-turns.js';
import type { HealthLog } from '../report/health-log.js';

const RETRY_MS = { first: 100, longest: 5_000 };
/** Observations of one topic that wait for the log. Where there are more, the oldest and the newest are kept. */
const MOST_WAITING = 16;

/** One event to be. */
export interface NewFact {
  type: string;
  /** When it became true, epoch milliseconds. */
  timeMs: number;
  data: JsonObject;
  extensions?: Record<string, ExtensionValue>;
}

/** Something facts are told about, and how they follow from what was told before. */
export interface Topic<Standing, Observed> {
  subject: string;
  /** The newest event of these types says how things stand. */
  types: readonly string[];
  standing(newest: RecordedEvent | undefined): Standing;
  decide(standing: Standing, observed: Observed): { facts: readonly NewFact[]; standing: Standing };
}

/** Takes what is observed about one topic. */
export interface FactAccount<Observed> {
  observe(observed: Observed): void;
  /** What still waits is not said any more. */
  close(): void;
}

export interface FactLedgerDeps {
  log: HealthLog;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/**
 * Facts beside the state of targets (certificates, names, heartbeats), each said once whoever observes it and however often he is
 * restarted: what has been said is read from the log, and each append names the version it builds on. What is observed is compared with
 * it every time, held until it is committed, and compared anew where another was quicker.
 */
export class FactLedger {
  readonly #deps: FactLedgerDeps;
  readonly #turns = new AppendTurns();
  readonly #abort = new AbortController();
  readonly #working = new Set<Promise<void>>();

  constructor(deps: FactLedgerDeps) {
    this.#deps = deps;
  }

  open<Standing, Observed>(topic: Topic<Standing, Observed>): FactAccount<Observed> {
    const account = new Account(topic, this.#deps, this.#turns, this.#abort.signal);
    return {
      observe: (observed) => {
        const working = account.observe(observed);
        if (working === undefined || this.#working.has(working)) return;
        this.#working.add(working);
        void working.finally(() => this.#working.delete(working));
      },
      close: () => account.close(),
    };
  }

  /** Appends in flight are awaited; what is held is observed again by the next process. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#turns.release();
    await Promise.all(this.#working);
  }
}

class Account<Standing, Observed> {
  readonly #topic: Topic<Standing, Observed>;
  readonly #deps: FactLedgerDeps;
  readonly #turns: AppendTurns;
  readonly #signal: AbortSignal;
  readonly #closing = new AbortController();
  readonly #waiting: Observed[] = [];
  /** What the log holds; unknown until it has been read, and again after a conflict. */
  #known: { version: number; standing: Standing } | undefined;
  /** Events of the oldest observation, from their first attempt on: a retry repeats them, ids and all. */
  #events: EventToAppend[] | undefined;
  readonly #working = new Pump(() => this.#work());

  constructor(topic: Topic<Standing, Observed>, deps: FactLedgerDeps, turns: AppendTurns, stopping: AbortSignal) {
    this.#topic = topic;
    this.#deps = deps;
    this.#turns = turns;
    this.#signal = AbortSignal.any([stopping, this.#closing.signal]);
  }

  close(): void {
    this.#closing.abort();
  }

  /** @returns the work this makes, if any. It never rejects. */
  observe(observed: Observed): Promise<void> | undefined {
    if (this.#signal.aborted) return undefined;
    if (this.#known !== undefined && this.#waiting.length === 0) {
      const { facts, standing } = this.#topic.decide(this.#known.standing, observed);
      if (facts.length === 0) {
        this.#known.standing = standing;
        return undefined;
      }
    }
    if (this.#waiting.length === 0 || !isDeepStrictEqual(this.#waiting.at(-1), observed)) this.#waiting.push(observed);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(1, 1);
    return this.#working.wake();
  }

  async #work(): Promise<void> {
    let retryMs = RETRY_MS.first;
    for (let oldest = this.#waiting[0]; oldest !== undefined && !this.#signal.aborted; oldest = this.#waiting[0]) {
      try {
        await this.#say(oldest);
        this.#done();
        retryMs = RETRY_MS.first;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (isTocsinError(error, 'TCN_VERSION_CONFLICT')) {
          this.#known = undefined;
          this.#events = undefined;
        } else if (isTocsinError(error) && error.retryable) {
          const waitMs = Math.max(retryMs * (0.5 + this.#deps.random()), error.retryAfterMs ?? 0);
          await pause(waitMs, this.#signal);
          retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
        } else {
          this.#deps.logger.error({ err: error, subject: this.#topic.subject }, 'the log refuses a fact');
          this.#done();
        }
      }
    }
  }

  #done(): void {
    this.#waiting.shift();
    this.#events = undefined;
  }

  async #say(observed: Observed): Promise<void> {
    const { subject, types } = this.#topic;
    const { log, logger } = this.#deps;
    const known = (this.#known ??= await this.#read(types));
    const { facts, standing } = this.#topic.decide(known.standing, observed);
    if (facts.length === 0) {
      known.standing = standing;
      return;
    }
    const events = (this.#events ??= facts.map((fact) => this.#event(fact)));
    const appended = await this.#turns.run(() => log.append({ events, expect: { [subject]: known.version } }));
    this.#known = { version: appended.at(-1)?.version ?? known.version + events.length, standing };
    for (const [index, { id, type, data }] of events.entries()) {
      logger.info({ event: id, position: appended[index]?.position, type, subject, data }, `${subject} ${type}`);
    }
  }

  async #read(types: readonly string[]): Promise<{ version: number; standing: Standing }> {
    const { subject } = this.#topic;
    const { events, versions } = await this.#deps.log.latestOf(subject, types);
    return { version: versions[subject] ?? 0, standing: this.#topic.standing(events.get(subject)) };
  }

  #event({ type, timeMs, data, extensions }: NewFact): EventToAppend {
    return {
      id: newId('evt', this.#deps.clock.now()),
      source: HEALTH_PROBE_SOURCE,
      type,
      subject: this.#topic.subject,
      time: new Date(timeMs).toISOString(),
      ...(extensions === undefined ? {} : { extensions }),
      datacontenttype: 'application/json',
      data,
    };
  }
}
