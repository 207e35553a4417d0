import { OBSERVER_EVENTS, TARGET_FRESH, TARGET_STALE } from '@tocsin/contracts';
import {
  clockStepped,
  decide,
  type Clock,
  type HealthEffect,
  type HealthInput,
  type Instant,
  type ProbeResult,
  type RecordedHealth,
  type Transition,
} from '@tocsin/domain';
import type { Journal } from '../report/journal.js';
import { lifeSubject } from '../report/recorded-state.js';
import type { ProbeStatistics } from '../report/probe-statistics.js';
import type { Probed } from '../schedule/probe-scheduler.js';
import type { Doubts } from '../votes/doubts.js';
import type { Electorate } from '../votes/electorate.js';
import type { IsolationWatch } from '../votes/isolation-watch.js';
import type { Target } from './target.js';

export interface ObservationDeps {
  observer: string;
  clock: Clock;
  journal: Journal;
  doubts: Doubts;
  isolation: Pick<IsolationWatch, 'isolated' | 'look'>;
  electorate: Electorate;
  statistics: ProbeStatistics;
  /** A probe has said something of the target itself. */
  onResult: (target: Target, result: ProbeResult) => void;
  /** A target that was to say by itself that it is alive has never done so. */
  onUnheard: (target: Target) => void;
  /** What has to be known by the time the suspicion is confirmed can be found out meanwhile. */
  onSuspected: (target: Target) => void;
  /** A probe has ended and been judged. */
  onJudged: (target: Target) => void;
  /** Is this still the declaration that is watched? Votes may come when it is not. */
  current: (target: Target) => boolean;
  report: (target: Target, transition: Transition) => void;
  /** The cadence may have changed by something else than a probe. */
  replan: (target: Target) => void;
}

/** Puts what happens to a target through the state machine and does what it decides. */
export class Observation {
  readonly #deps: ObservationDeps;

  constructor(deps: ObservationDeps) {
    this.#deps = deps;
  }

  /** A probe has ended. */
  probed(target: Target, probed: Probed): void {
    const { at, result, latenessMs } = probed;
    const contested = result.kind === 'void' || result.uncontested !== true;
    // Of a target's own word, or its silence, the duration says since when it is so.
    const startedAt = contested ? probed.startedAt : before(at, result.durationMs);
    this.#deps.statistics.checked(
      target.spec.check.type,
      contested ? result : { ...result, durationMs: 0 },
      latenessMs,
    );
    // Whose clock was set, or who was blocked, while it probed does not judge.
    if (result.kind === 'void' || (result.outcome === 'fail' && clockStepped(startedAt, at))) return;
    if (result.origin === 'remote') target.heardMs = at.monoMs;
    if (result.origin === 'remote') this.#deps.onResult(target, result);
    const { phase, announced } = target.health;
    const wasStale = phase === 'stale' && announced !== 'pending';
    const voters = contested ? this.#deps.electorate.voters() : 1;
    this.#decide(target, { kind: 'result', observer: this.#deps.observer, startedAt, at, result, voters });
    if (wasStale && target.health.phase === 'up') this.#fresh(target, result, startedAt.wallMs);
    this.#deps.onJudged(target);
  }

  /** The log's word on the target. Where it differs from what was confirmed here, it wins, and what is observed is confirmed again. */
  recorded(target: Target, recorded: RecordedHealth): void {
    const { announced, episode } = target.health;
    if (announced === recorded.announced && episode === recorded.episode) return;
    this.#decide(target, {
      kind: 'recorded',
      announced: recorded.announced,
      ...(recorded.sinceMs === undefined ? {} : { sinceMs: recorded.sinceMs }),
      ...(recorded.episode === undefined ? {} : { episode: recorded.episode }),
    });
    this.#deps.replan(target);
  }

  /** No result that says anything of the target has come for longer than it may take. */
  silent(target: Target): void {
    const { journal, clock } = this.#deps;
    const { name, spec, heardMs } = target;
    if (target.heartbeat !== undefined && target.health.announced === 'pending') {
      this.#decide(target, { kind: 'silent' });
      this.#deps.onUnheard(target);
      return;
    }
    const lastCheckedAt = new Date(clock.now() - (clock.monotonicMs() - heardMs)).toISOString();
    this.#decide(target, { kind: 'silent' });
    journal.say(TARGET_STALE, lifeSubject(name), { name, kind: spec.kind, labels: spec.labels, lastCheckedAt });
  }

  /** This observer is cut off: it knows nothing of its targets any more. */
  isolated(targets: Iterable<Target>): void {
    for (const target of targets) this.#decide(target, { kind: 'isolated' });
  }

  /** It is back. */
  rejoined(targets: Iterable<Target>): void {
    for (const target of targets) this.#decide(target, { kind: 'rejoined' });
  }

  /** What was stale is looked at again, and is as it was told. What is down is closed by its own recovery. */
  #fresh(target: Target, result: ProbeResult, atMs: number): void {
    const { observer, journal } = this.#deps;
    const { name, spec, health } = target;
    const at = new Date(atMs).toISOString();
    const { outcome, detail, durationMs } = result;
    const data = {
      ...{ name, target: name, kind: spec.kind, labels: spec.labels },
      ...{ from: health.announced, to: health.announced, reason: detail, confidence: 'single' },
      evidence: [{ observer, at, outcome, detail, durationMs }],
      ...{ confirmedAt: at, detectionMs: 0 },
    };
    journal.say(TARGET_FRESH, lifeSubject(name), data, atMs);
  }

  #decide(target: Target, input: HealthInput): void {
    const { state, effects } = decide(target.health, input, target.policy);
    target.health = state;
    for (const effect of effects) this.#do(target, effect);
  }

  #do(target: Target, effect: HealthEffect): void {
    const { statistics, doubts, isolation, journal, observer } = this.#deps;
    switch (effect.kind) {
      case 'suspected':
        statistics.suspected();
        doubts.suspected(target.subject);
        this.#deps.onSuspected(target);
        void isolation.look();
        return;
      case 'ask-votes':
        void this.#ask(target, effect.round, effect.deadlineMs);
        return;
      case 'vote-refused':
        statistics.refused();
        doubts.refused(target.subject);
        return;
      case 'announce':
        // Only the first verdict `up` has no episode: it is recorded, but nothing has changed.
        if (effect.transition.episode !== undefined) {
          statistics.confirmed(effect.transition.to, effect.transition.confidence, effect.transition.detectionMs);
        }
        this.#deps.report(target, effect.transition);
        return;
      case 'vantage':
        journal.say(OBSERVER_EVENTS[effect.fact], `vantage/${target.name}`, {
          target: target.name,
          kind: target.spec.kind,
          labels: target.spec.labels,
          observer,
          since: new Date(effect.sinceMs).toISOString(),
        });
        return;
    }
  }

  async #ask(target: Target, round: number, deadlineMs: number): Promise<void> {
    const { clock, electorate, isolation } = this.#deps;
    const [votes] = await Promise.all([electorate.ask(target, deadlineMs), isolation.look()]);
    if (!this.#deps.current(target) || isolation.isolated) return;
    this.#decide(target, { kind: 'votes', at: { wallMs: clock.now(), monoMs: clock.monotonicMs() }, round, votes });
    this.#deps.replan(target);
  }
}

function before({ wallMs, monoMs }: Instant, ms: number): Instant {
  return { wallMs: wallMs - ms, monoMs: monoMs - ms };
}
