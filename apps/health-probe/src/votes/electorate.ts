import type { VoteCast } from '@tocsin/domain';
import type { Target } from '../targets/target.js';

/** The observers a suspicion can be put to. */
export interface Electorate {
  /** Observers able to vote now, this one included. */
  voters(): number;
  /** Their answers, as many as came within `deadlineMs`. Never rejects. */
  ask(target: Target, deadlineMs: number): Promise<VoteCast[]>;
}

/** An observer that stands alone: it decides by more probes of its own, and says so. */
export class LoneElectorate implements Electorate {
  voters(): number {
    return 1;
  }

  ask(): Promise<VoteCast[]> {
    return Promise.resolve([]);
  }
}
