import type { HeartbeatTokens, WatchedTarget } from '@tocsin/contracts';
import type { Database } from '@tocsin/postgres';

// Held by whoever writes to the observers' bucket; any number, as long as every replica takes the same.
const TAKE_TURN = `SELECT pg_advisory_xact_lock(hashtextextended('tocsin/registry/observer-feed', 0))`;
const CHECKPOINT = `SELECT position FROM registry.checkpoint`;
const WATCHED = `SELECT name, revision, spec, heartbeat FROM registry.target WHERE name = ANY($1)`;
const REVISIONS = `SELECT name, revision FROM registry.target`;

interface WatchedRow {
  heartbeat: HeartbeatTokens | null;
}

function watched({ heartbeat, ...target }: Omit<WatchedTarget, 'heartbeat'> & WatchedRow): WatchedTarget {
  return heartbeat === null ? target : { ...target, heartbeat };
}

/** Gives the feed to the observers what is declared, one replica at a time. */
export class FeedSource {
  readonly #database: Database;
  readonly #reached: () => number;

  /** @param reached position this replica knows the projection to have been at */
  constructor(database: Database, reached: () => number) {
    this.#database = database;
    this.#reached = reached;
  }

  /** Name and revision of every declared target. */
  async revisions(): Promise<{ name: string; revision: number }[]> {
    return this.#database.query(REVISIONS);
  }

  /**
   * Reads the named targets and hands them to `work`; no other replica reads or writes until `work` has ended.
   * @returns false, without calling `work`, if the projection has been set back and is not what was there before
   */
  async withCurrent(
    names: readonly string[],
    work: (targets: ReadonlyMap<string, WatchedTarget>) => Promise<void>,
  ): Promise<boolean> {
    return this.#database.transaction(async (tx) => {
      await tx.query(TAKE_TURN);
      const [checkpoint] = await tx.query<{ position: number }>(CHECKPOINT);
      if (checkpoint === undefined || checkpoint.position < this.#reached()) return false;
      const targets = await tx.query<Omit<WatchedTarget, 'heartbeat'> & WatchedRow>(WATCHED, [names]);
      await work(new Map(targets.map((target) => [target.name, watched(target)])));
      return true;
    });
  }
}
