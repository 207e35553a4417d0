import type { Appended } from '@tocsin/contracts';
import {
  entryFor,
  isTocsinError,
  reasonOf,
  reconciliation,
  type Clock,
  type HealthEntry,
  type Random,
  type Transition,
} from '@tocsin/domain';
import { type Logger, pause } from '@tocsin/platform';
import { withSpan } from '@tocsin/tracing';
import type { Overlays } from '../overlays/overlays.js';
import type { Target } from '../targets/target.js';
import { letGo, openAccount, saysTheSame, stateAfter, type Account, type PendingEvent } from './account.js';
import { AppendTurns } from './append-turns.js';
import { confirmSpan } from './confirm-span.js';
import { healthEvent } from './health-event.js';
import type { HealthLog } from './health-log.js';
import type { ProbeStatistics } from './probe-statistics.js';
import { RecordedReader } from './recorded-reader.js';
import type { RecordedState } from './recorded-state.js';
import { Stopping } from './stopping.js';

/** Long enough for a standby leader to take over, short enough that an alarm does not wait for us. */
const RETRY_MS = { first: 50, longest: 2_000 };

export interface ReporterDeps {
  log: HealthLog;
  clock: Clock;
  random: Random;
  logger: Logger;
  statistics: ProbeStatistics;
  overlays: Overlays;
  /** Resolves when everything that can lie over a target is known. */
  overlaysKnown: Promise<void>;
  /** Everything that was to be said of the target is said: this is what the log holds now. */
  onSettled: (target: Target, recorded: RecordedState) => void;
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
  readonly #stopping = new Stopping();
  /** One for all targets: the overlays are known, or nothing is to be told any more. */
  readonly #begun: Promise<void>;
  readonly #turns = new AppendTurns();

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
    this.#begun = this.#stopping.orUntil(deps.overlaysKnown);
    this.#reader = new RecordedReader(deps.log, deps.logger, (target, recorded) => this.#onRead(target, recorded));
  }

  /** Targets whose announced state has not been read yet. */
  get unknown(): number {
    let unknown = 0;
    for (const account of this.#accounts.values()) if (account.recorded === undefined) unknown += 1;
    return unknown;
  }

  /** Targets with a change that is not committed yet. */
  get holding(): number {
    let holding = 0;
    for (const account of this.#accounts.values()) if (account.held.oldest !== undefined) holding += 1;
    return holding;
  }

  /** Reports about `target` from now on; goes on with what is held where it was known under another declaration. */
  track(target: Target): void {
    const known = this.#accounts.get(target.subject);
    if (known !== undefined) known.target = target;
    else this.#accounts.set(target.subject, openAccount(target));
    this.#reader.want(target);
  }

  /** What was held about a target that is gone is not announced any more. */
  untrack(target: Target): void {
    this.#accounts.delete(target.subject);
    this.#reader.forget(target);
    this.#deps.overlays.forget(target);
  }

  /** Announces a change, after everything that is held about the same target. */
  report(target: Target, transition: Transition): void {
    const account = this.#accounts.get(target.subject);
    if (account === undefined) return;
    const overlays = this.#deps.overlays.over(target);
    const dropped = account.held.push({ transition, overlays });
    if (dropped > 0)
      this.#deps.logger.warn({ subject: target.subject, dropped }, 'too many changes held; the middle ones are let go');
    this.#announce(account);
  }

  /** What lies over a target has changed: what was kept back may be due. */
  reconsider(subject: string): void {
    const account = this.#accounts.get(subject);
    if (account === undefined) return;
    if (account.announcing !== undefined || account.recorded?.kept !== undefined) this.#announce(account);
  }

  /** The same for every target. */
  reconsiderAll(): void {
    for (const subject of this.#accounts.keys()) this.reconsider(subject);
  }

  /** Reads again what the log holds of every target: whatever was lost on the way shows as a difference. */
  reread(): void {
    for (const account of this.#accounts.values()) this.#reader.want(account.target);
  }

  /** What is held now is confirmed anew by the next process: it is not in the log. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopping.begin();
    this.#turns.release();
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
    if (this.#abort.signal.aborted) return;
    if (account.announcing !== undefined) {
      account.again = true;
      return;
    }
    account.announcing = this.#announceHeld(account).finally(() => {
      account.announcing = undefined;
      if (account.recorded === undefined || this.#accounts.get(account.target.subject) !== account) return;
      const { again } = account;
      account.again = false;
      if (account.held.oldest !== undefined || again) this.#announce(account);
      else this.#deps.onSettled(account.target, account.recorded);
    });
  }

  async #announceHeld(account: Account): Promise<void> {
    let retryMs = RETRY_MS.first;
    for (;;) {
      const entry = await this.#nextEntry(account);
      if (entry === undefined || account.recorded === undefined) return;
      if (account.event !== undefined && !saysTheSame(account.event.entry.transition, entry.transition)) {
        this.#abandon(account);
      }
      const pending = (account.event ??= this.#build(account.target, entry));
      try {
        const appended = await this.#append(account.recorded, pending);
        // It may have been found in the log meanwhile, after an answer that came too late.
        if (account.event === pending) {
          this.#committed(account, stateAfter(account.recorded, pending, appended), appended);
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
          await pause(Math.max(retryMs * (0.5 + this.#deps.random()), error.retryAfterMs ?? 0), this.#abort.signal);
          retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
        } else {
          // It will be confirmed and tried again as long as what is observed differs from what is recorded.
          this.#deps.logger.error({ err: error, event: pending.event }, 'the log refuses a change');
          if (pending.entry.reconciles === undefined) letGo(account);
          this.#abandon(account);
          return;
        }
      }
    }
  }

  /** What has to be written next about a target, if anything: the oldest held change or, after them all, what was kept back and is due. */
  async #nextEntry(account: Account): Promise<HealthEntry | undefined> {
    const { overlays, clock } = this.#deps;
    await this.#begun;
    for (;;) {
      const { target, recorded, held } = account;
      if (recorded === undefined || this.#abort.signal.aborted) return undefined;
      if (this.#accounts.get(target.subject) !== account) return undefined;
      const { newest } = recorded;
      if (!account.restored) {
        account.restored = true;
        const ageMs = clock.now() - (newest?.confirmedAtMs ?? 0);
        const restoring = overlays.restore(target, recorded.kept?.because ?? [], recorded.damping, ageMs);
        await this.#stopping.orUntil(restoring);
        continue;
      }
      const { oldest } = held;
      if (oldest === undefined) {
        return newest && reconciliation(recorded, newest, overlays.over(target), clock.now());
      }
      if (account.considered !== oldest) {
        await this.#stopping.orUntil(overlays.consider(target, oldest.transition));
        account.considered = oldest;
        continue;
      }
      const over = new Set([...oldest.overlays, ...overlays.over(target)]);
      const entry = entryFor(recorded, oldest.transition, [...over]);
      if (entry !== undefined) return entry;
      letGo(account);
      this.#abandon(account);
    }
  }

  #build(target: Target, entry: HealthEntry): PendingEvent {
    const { clock, overlays } = this.#deps;
    const span = confirmSpan(target, entry);
    const [causedBy, damping] = [overlays.causeOf(target), overlays.damping(target)];
    const circumstances = {
      nowMs: clock.now(),
      ...(causedBy === undefined ? {} : { causedBy }),
      ...(damping === undefined ? {} : { damping }),
    };
    const event = withSpan(span, () => healthEvent(target, entry, circumstances));
    return { entry, event, span };
  }

  #append(recorded: RecordedState, { event, entry, span }: PendingEvent): Promise<Appended> {
    return this.#turns.run(async () => {
      if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
      const expect = { [event.subject]: entry.fact === 'fresh' ? recorded.lifeVersion : recorded.version };
      const [appended] = await withSpan(span, () => this.#deps.log.append({ events: [event], expect }));
      if (appended === undefined) throw new Error('the recorder answered an append without its event');
      return appended;
    });
  }

  /** The event that was under way stands in the log. */
  #committed(account: Account, recorded: RecordedState, appended?: Appended): void {
    const pending = account.event;
    account.event = undefined;
    account.recorded = recorded;
    if (pending === undefined) return;
    const { event, entry, span } = pending;
    const { transition, withheld, reconciles } = entry;
    if (reconciles === undefined) letGo(account);
    if (appended !== undefined) span.setAttribute('tocsin.position', appended.position);
    span.setAttribute('tocsin.event.id', event.id).end();
    if (withheld !== undefined) this.#deps.statistics.withheld(withheld.because);
    else if (entry.fact !== 'fresh') this.#deps.statistics.announced(entry.fact);
    const line = {
      event: event.id,
      position: appended?.position,
      subject: account.target.subject,
      fact: entry.fact,
      to: transition.to,
      episode: transition.episode,
      reason: reasonOf(transition),
      confidence: transition.confidence,
      votes: transition.votes,
      withheld: withheld?.because,
      reconciles,
      detectionMs: Math.round(transition.detectionMs),
      commitMs: Math.max(0, Math.round(this.#deps.clock.now() - transition.confirmedAtMs)),
    };
    const message = `${line.subject} ${line.fact}${withheld === undefined ? '' : ', withheld'}`;
    withSpan(span, () => this.#deps.logger.info(line, message));
  }

  #abandon(account: Account): void {
    // Said by another observer, or not true any more: nothing failed.
    account.event?.span.setAttribute('tocsin.abandoned', true).end();
    account.event = undefined;
  }
}
