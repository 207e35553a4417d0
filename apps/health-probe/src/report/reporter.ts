import { context, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import type { Appended } from '@tocsin/contracts';
import {
  announcementAfter,
  isTocsinError,
  reasonOf,
  type Clock,
  type EventToAppend,
  type HealthFact,
  type Random,
  type Transition,
} from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../targets/target.js';
import { healthEvent } from './health-event.js';
import type { HealthLog } from './health-log.js';
import { HeldTransitions } from './held-transitions.js';
import type { ProbeStatistics } from './probe-statistics.js';
import { RecordedReader } from './recorded-reader.js';
import type { RecordedState } from './recorded-state.js';

/** Long enough for a standby leader to take over, short enough that an alarm does not wait for us. */
const RETRY_MS = { first: 50, longest: 2_000 };
/** A thousand targets that die together must not fill the leader's queue alone. */
const APPENDS_AT_ONCE = 64;

export interface ReporterDeps {
  log: HealthLog;
  clock: Clock;
  random: Random;
  logger: Logger;
  statistics: ProbeStatistics;
  /** Everything that was to be said of the target is said: this is what the log holds now. */
  onSettled: (target: Target, recorded: RecordedState) => void;
}

interface PendingEvent {
  fact: HealthFact;
  transition: Transition;
  event: EventToAppend;
  span: Span;
}

interface Account {
  target: Target;
  /** What the log holds; unknown until it has been read, and again after a conflict. */
  recorded: RecordedState | undefined;
  held: HeldTransitions;
  /** Event of the oldest held transition, from its first attempt on: a retry repeats it, id and all. */
  event: PendingEvent | undefined;
  announcing: Promise<void> | undefined;
}

/**
 * Brings confirmed changes into the log, each exactly once. A change is held until the recorder says it is committed. The log
 * is the truth: an append names the version it builds on, and where another observer was quicker its word is read and taken.
 * Nothing is announced of a target before it is known what has been announced already.
 */
export class Reporter {
  readonly #deps: ReporterDeps;
  readonly #reader: RecordedReader;
  readonly #accounts = new Map<string, Account>();
  readonly #abort = new AbortController();
  readonly #turns: (() => void)[] = [];
  readonly #tracer = trace.getTracer('tocsin.health-probe');
  #appending = 0;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
    this.#reader = new RecordedReader(deps.log, deps.logger, (target, recorded) => this.#onRead(target, recorded));
  }

  /** Targets whose announced state has not been read yet. */
  get unknown(): number {
    let unknown = 0;
    for (const account of this.#accounts.values()) if (account.recorded === undefined) unknown += 1;
    return unknown;
  }

  /** Reports about `target` from now on; goes on with what is held where it was known under another declaration. */
  track(target: Target): void {
    const known = this.#accounts.get(target.subject);
    if (known !== undefined) known.target = target;
    else {
      const held = new HeldTransitions();
      this.#accounts.set(target.subject, {
        target,
        recorded: undefined,
        held,
        event: undefined,
        announcing: undefined,
      });
    }
    this.#reader.want(target);
  }

  /** What was held about a target that is gone is not announced any more. */
  untrack(target: Target): void {
    this.#accounts.delete(target.subject);
    this.#reader.forget(target);
  }

  /** Announces a change, after everything that is held about the same target. */
  report(target: Target, transition: Transition): void {
    const account = this.#accounts.get(target.subject);
    if (account === undefined) return;
    const dropped = account.held.push(transition);
    if (dropped > 0)
      this.#deps.logger.warn({ subject: target.subject, dropped }, 'too many changes held; the middle ones are let go');
    this.#announce(account);
  }

  /** Reads again what the log holds of every target: whatever was lost on the way shows as a difference. */
  reread(): void {
    for (const account of this.#accounts.values()) this.#reader.want(account.target);
  }

  /** What is held now is confirmed anew by the next process: it is not in the log. */
  async stop(): Promise<void> {
    this.#abort.abort();
    for (const turn of this.#turns.splice(0)) turn();
    await this.#reader.stop();
    await Promise.all([...this.#accounts.values()].flatMap((account) => account.announcing ?? []));
  }

  #onRead(target: Target, recorded: RecordedState): void {
    const account = this.#accounts.get(target.subject);
    if (account === undefined) return;
    const known = account.recorded;
    const older = known !== undefined && (recorded.version < known.version || recorded.lifeVersion < known.lifeVersion);
    if (!older) account.recorded = recorded;
    if (account.event !== undefined && account.event.event.id === recorded.eventId) this.#committed(account, recorded);
    this.#announce(account);
  }

  #announce(account: Account): void {
    if (account.announcing !== undefined || this.#abort.signal.aborted) return;
    account.announcing = this.#announceHeld(account).finally(() => {
      account.announcing = undefined;
      const settled = account.recorded !== undefined && account.held.oldest === undefined;
      if (settled && this.#accounts.get(account.target.subject) === account && account.recorded !== undefined) {
        this.#deps.onSettled(account.target, account.recorded);
      } else if (account.recorded !== undefined && account.held.oldest !== undefined) this.#announce(account);
    });
  }

  async #announceHeld(account: Account): Promise<void> {
    let retryMs = RETRY_MS.first;
    while (account.recorded !== undefined && !this.#abort.signal.aborted) {
      const { oldest } = account.held;
      if (oldest === undefined || this.#accounts.get(account.target.subject) !== account) return;
      const announcement = announcementAfter(account.recorded, oldest);
      if (announcement === undefined) {
        account.held.shift();
        this.#abandon(account);
        continue;
      }
      if (account.event !== undefined && !saysTheSame(account.event.transition, announcement.transition)) {
        this.#abandon(account);
      }
      const pending = (account.event ??= this.#build(account.target, announcement.fact, announcement.transition));
      try {
        const appended = await this.#append(account.recorded, pending);
        // It may have been found in the log meanwhile, after an answer that came too late.
        if (account.event === pending) {
          const recorded = stateAfter(account.recorded, announcement.transition, pending.event, appended);
          this.#committed(account, recorded, appended);
        }
        retryMs = RETRY_MS.first;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (isTocsinError(error, 'TCN_VERSION_CONFLICT')) {
          account.recorded = undefined;
          this.#reader.want(account.target);
        } else if (isTocsinError(error) && error.retryable) {
          const level = retryMs === RETRY_MS.first ? 'warn' : 'debug';
          this.#deps.logger[level]({ err: error, subject: account.target.subject, retryMs }, 'a change is held back');
          await sleep(Math.max(retryMs * (0.5 + this.#deps.random()), error.retryAfterMs ?? 0), undefined, {
            signal: this.#abort.signal,
          }).catch(() => undefined);
          retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
        } else {
          // It will be confirmed and tried again as long as what is observed differs from what is recorded.
          this.#deps.logger.error({ err: error, event: pending.event }, 'the log refuses a change');
          account.held.shift();
          this.#abandon(account);
        }
      }
    }
  }

  #build(target: Target, fact: HealthFact, transition: Transition): PendingEvent {
    const span = this.#tracer.startSpan('target change', {
      startTime: transition.timeMs,
      attributes: { 'tocsin.subject': target.subject, 'tocsin.fact': fact },
    });
    const event = context.with(trace.setSpan(context.active(), span), () =>
      healthEvent(target, fact, transition, this.#deps.clock.now()),
    );
    return { fact, transition, event, span };
  }

  async #append(recorded: RecordedState, pending: PendingEvent): Promise<Appended> {
    const { event, fact, span } = pending;
    await this.#turn();
    try {
      if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
      const expect = { [event.subject]: fact === 'fresh' ? recorded.lifeVersion : recorded.version };
      const appended = await context.with(trace.setSpan(context.active(), span), () =>
        this.#deps.log.append({ events: [event], expect }),
      );
      const [first] = appended;
      if (first === undefined) throw new Error('the recorder answered an append without its event');
      return first;
    } finally {
      this.#appending -= 1;
      this.#turns.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#appending >= APPENDS_AT_ONCE) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#appending += 1;
  }

  /** The oldest held change stands in the log. */
  #committed(account: Account, recorded: RecordedState, appended?: Appended): void {
    const transition = account.held.shift();
    const pending = account.event;
    account.event = undefined;
    account.recorded = recorded;
    if (transition === undefined || pending === undefined) return;
    pending.span.end();
    if (pending.fact !== 'fresh') this.#deps.statistics.announced(pending.fact);
    this.#deps.logger.info(
      {
        event: pending.event.id,
        position: appended?.position,
        subject: account.target.subject,
        fact: pending.fact,
        to: transition.to,
        episode: recorded.episode ?? transition.episode,
        reason: reasonOf(transition),
        confidence: transition.confidence,
        votes: transition.votes,
        detectionMs: Math.round(transition.detectionMs),
        commitMs: Math.max(0, Math.round(this.#deps.clock.now() - transition.confirmedAtMs)),
      },
      `${account.target.subject} ${pending.fact}`,
    );
  }

  #abandon(account: Account): void {
    account.event?.span.setStatus({ code: SpanStatusCode.UNSET, message: 'said by another observer' }).end();
    account.event = undefined;
  }
}

/** An event that was refused for its version is sent again as it is, unless the log's new word changes what it has to say. */
function saysTheSame(one: Transition, other: Transition): boolean {
  return one.from === other.from && one.to === other.to && one.episode === other.episode;
}

function stateAfter(
  recorded: RecordedState,
  transition: Transition,
  event: EventToAppend,
  appended: Appended,
): RecordedState {
  const life = event.subject !== transition.subject;
  return {
    version: life ? recorded.version : appended.version,
    lifeVersion: life ? appended.version : recorded.lifeVersion,
    announced: transition.to,
    sinceMs: transition.timeMs,
    eventId: event.id,
    ...(transition.to === 'up' || transition.episode === undefined ? {} : { episode: transition.episode }),
  };
}
