import type { Judgement } from './judge.js';
import type { World } from './world.js';

/** One thing that may happen, and what must come of it. */
export interface Scenario {
  /** Name for `--only`. */
  name: string;
  /** What happens, for the table. */
  what: string;
  /**
   * Plays it up to the point from which everybody only has to be told.
   * @throws SkippedScenario where the machine does not allow it
   */
  play(world: World): Promise<void>;
  /** How long everybody may take to be told after that, milliseconds, where the usual is not enough. */
  toldWithinMs?: number;
}

/** A scenario that cannot be played on this machine. It counts as skipped, not as passed. */
export class SkippedScenario extends Error {}

/** What became of one scenario with one seed. */
export interface Outcome {
  scenario: string;
  what: string;
  seed: number;
  verdict: 'kept' | 'broken' | 'skipped';
  seconds: number;
  subscribers: Judgement[];
  /** Promises that were broken, or what kept it from being played. */
  breaches: string[];
  notes: string[];
}
