import type { Clock } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import { StallHistory } from './stall-history.js';
import type { Target } from './target.js';

const PERIOD_MS = 5_000;
/** So many intervals may pass without a word: local trouble and stalls do not last longer in an observer that is well. */
const SILENT_INTERVALS = 3;

/** Room for the looks at a heartbeat that is due. */
const LOOKS_MS = 5_000;

export interface WatchdogDeps {
  clock: Clock;
  logger: Logger;
  /** Milliseconds this process has been blocked since its start, the stall that is just ending included. */
  stalledMs: () => number;
  targets: () => Iterable<Target>;
  onSilent: (target: Target) => void;
}

/**
 * Notices targets of which nothing is heard any more, whatever the reason: what is not watched must not look healthy. The time for
 * which this process was blocked is no silence of theirs.
 */
export class Watchdog {
  readonly #deps: WatchdogDeps;
  readonly #stalls: StallHistory;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: WatchdogDeps) {
    this.#deps = deps;
    this.#stalls = new StallHistory(deps.clock, deps.stalledMs);
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks at every target now. */
  look(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const target of this.#deps.targets()) {
      const { phase } = target.health;
      if (phase === 'stale' || phase === 'unknown') continue;
      const { timeoutMs } = target.policy;
      const intervalMs = Math.max(target.policy.intervalMs, target.heartbeat?.intervalMs ?? 0);
      const sinceHeardMs = nowMs - target.heardMs;
      // An outage that lasts is looked at every 30 s at the latest, whatever the interval.
      const patienceMs = SILENT_INTERVALS * (Math.max(intervalMs, phase === 'down' ? 30_000 : 0) + timeoutMs);
      // The silence of a heartbeat is noticed by a look when its time is over, and looked at once more after that.
      const waitedMs = target.heartbeat === undefined ? 0 : target.heartbeat.graceMs + intervalMs + LOOKS_MS;
      // Most have been heard of lately, and are not asked for more.
      if (sinceHeardMs <= patienceMs + waitedMs) continue;
      const silentMs = sinceHeardMs - this.#stalls.sinceMs(target.heardMs);
      if (silentMs <= patienceMs + waitedMs) continue;
      this.#deps.logger.warn({ subject: target.subject, silentMs: Math.round(silentMs) }, `${target.subject} is stale`);
      this.#deps.onSilent(target);
    }
    this.#stalls.note();
  }
}
