import type { JsonObject } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { Flapping } from '../overlays/flap-damper.js';
import type { Target } from '../targets/target.js';
import type { HealthLog } from './health-log.js';
import type { Journal } from './journal.js';

export interface FlappingJournalDeps {
  log: HealthLog;
  journal: Journal;
  logger: Logger;
}

/** Says once that a target has begun to flap and once that it has stopped, whichever process noticed. */
export class FlappingJournal {
  readonly #deps: FlappingJournalDeps;

  constructor(deps: FlappingJournalDeps) {
    this.#deps = deps;
  }

  started(target: Target, flapping: Flapping): void {
    void this.#say(target, 'started', flapping);
  }

  stopped(target: Target, flapping: Flapping): void {
    void this.#say(target, 'stopped', flapping);
  }

  /** Never rejects. Where the log cannot be asked, it is said: rather twice than not at all. */
  async #say(target: Target, what: 'started' | 'stopped', { points, downs, flappingMs }: Flapping): Promise<void> {
    const { log, journal, logger } = this.#deps;
    const { subject, spec, name, health } = target;
    try {
      const said = (await log.latestFlapping(subject)).events.get(subject)?.type.endsWith('-started') === true;
      if (said === (what === 'started')) return;
    } catch (error) {
      logger.warn({ err: error, subject }, 'it is not known whether flapping has been told');
    }
    const data: JsonObject = {
      ...{ target: name, kind: spec.kind, labels: spec.labels },
      ...{ state: health.announced, points: Math.round(points) },
      ...(what === 'stopped' ? { transitions: downs, flappingMs: Math.round(flappingMs) } : {}),
    };
    journal.say(`io.tocsin.${spec.kind}.flapping-${what}`, subject, data);
  }
}
