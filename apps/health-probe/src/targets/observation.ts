import {
  decide,
  type Clock,
  type HealthEffect,
  type HealthInput,
  type RecordedHealth,
  type Transition,
} from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { ProbeStatistics } from '../report/probe-statistics.js';
import type { Probed } from '../schedule/probe-scheduler.js';
import type { Electorate } from '../votes/electorate.js';
import type { Target } from './target.js';

export interface ObservationDeps {
  observer: string;
  clock: Clock;
  logger: Logger;
  electorate: Electorate;
  statistics: ProbeStatistics;
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
  probed(target: Target, { startedAt, at, result, latenessMs }: Probed): void {
    this.#deps.statistics.checked(target.spec.check.type, result, latenessMs);
    if (result.kind === 'void') return;
    const voters = this.#deps.electorate.voters();
    this.#decide(target, { kind: 'result', observer: this.#deps.observer, startedAt, at, result, voters });
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

  #decide(target: Target, input: HealthInput): void {
    const { state, effects } = decide(target.health, input, target.policy);
    target.health = state;
    for (const effect of effects) this.#do(target, effect);
  }

  #do(target: Target, effect: HealthEffect): void {
    const { statistics, logger } = this.#deps;
    switch (effect.kind) {
      case 'suspected':
        statistics.suspected();
        return;
      case 'ask-votes':
        void this.#ask(target, effect.round, effect.deadlineMs);
        return;
      case 'vote-refused':
        statistics.refused();
        return;
      case 'announce':
        statistics.confirmed(effect.transition.to, effect.transition.confidence, effect.transition.detectionMs);
        this.#deps.report(target, effect.transition);
        return;
      case 'vantage':
        logger.warn({ subject: target.subject, since: new Date(effect.sinceMs) }, `vantage ${effect.fact}`);
        return;
    }
  }

  async #ask(target: Target, round: number, deadlineMs: number): Promise<void> {
    const votes = await this.#deps.electorate.ask(target, deadlineMs);
    if (!this.#deps.current(target)) return;
    const { clock } = this.#deps;
    this.#decide(target, { kind: 'votes', at: { wallMs: clock.now(), monoMs: clock.monotonicMs() }, round, votes });
    this.#deps.replan(target);
  }
}
