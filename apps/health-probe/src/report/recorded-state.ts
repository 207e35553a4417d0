import { recordedStanding, type RecordedStanding } from '@tocsin/contracts';
import type { Latest } from './health-log.js';

/** What the log holds about a target, and where its two subjects stand. */
export interface RecordedState extends RecordedStanding {
  /** Version of `<kind>/<name>`. */
  version: number;
  /** Version of `target/<name>`. */
  lifeVersion: number;
}

/** Subject of what is said about a target as such. */
export function lifeSubject(name: string): string {
  return `target/${name}`;
}

/** The state the log has announced for a target. */
export function recordedState(subject: string, name: string, states: Latest, lives: Latest): RecordedState {
  const life = lifeSubject(name);
  return {
    ...recordedStanding(states.events.get(subject), lives.events.get(life)),
    version: states.versions[subject] ?? 0,
    lifeVersion: lives.versions[life] ?? 0,
  };
}
