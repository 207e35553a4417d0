import type { VoteCast } from '@tocsin/domain';
import type { Target } from '../targets/target.js';

/** The observers a suspicion can be put to. */
export interface Electorate {
  /** Observers able to vote now, this one included. */
  voters(): number;
  /** Their answers, as many as came within `deadlineMs`; those that did not come are abstentions. Never rejects. */
  ask(target: Target, deadlineMs: number): Promise<VoteCast[]>;
}
