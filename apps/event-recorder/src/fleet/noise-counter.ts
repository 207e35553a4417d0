import { STATE_TYPES } from '@tocsin/contracts';
import type { Queryable } from '@tocsin/postgres';

/** What the log holds of changes, up to a position. */
export interface CountedChanges {
  position: number;
  /** Events that say in which state a target is. */
  states: number;
  withheld: number;
  /** Of the others, those that made up for what was withheld: no change by themselves. */
  reconciling: number;
}

/** Indexes: event_type, event_withheld, event_reconciles, each from the last position that was counted on. */
const COUNT = `
WITH bounds AS MATERIALIZED (SELECT position AS high FROM log.head)
SELECT high AS position,
       (SELECT count(*) FROM log.event WHERE type = ANY ($2) AND position > $1 AND position <= high) AS states,
       (SELECT count(*) FROM log.event
         WHERE extensions ->> 'withheld' IS NOT NULL AND position > $1 AND position <= high AND type = ANY ($2)) AS withheld,
       (SELECT count(*) FROM log.event
         WHERE extensions ->> 'reconciles' IS NOT NULL AND position > $1 AND position <= high AND type = ANY ($2)) AS reconciling
  FROM bounds`;

/** Counts changes in the log: all of it once, and after that what has come since. */
export class NoiseCounter {
  #counted: CountedChanges = { position: 0, states: 0, withheld: 0, reconciling: 0 };
  #counting: Promise<CountedChanges> | undefined;

  constructor(private readonly database: Queryable) {}

  /** The counts now; whoever asks meanwhile is answered together. */
  count(): Promise<CountedChanges> {
    return (this.#counting ??= this.#count().finally(() => (this.#counting = undefined)));
  }

  async #count(): Promise<CountedChanges> {
    const before = this.#counted;
    const [added] = await this.database.query<CountedChanges>(COUNT, [before.position, STATE_TYPES]);
    if (added === undefined) return before;
    this.#counted = {
      position: added.position,
      states: before.states + added.states,
      withheld: before.withheld + added.withheld,
      reconciling: before.reconciling + added.reconciling,
    };
    return this.#counted;
  }
}
