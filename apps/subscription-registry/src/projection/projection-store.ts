import type { RecordedEvent } from '@tocsin/domain';
import type { Database, Queryable } from '@tocsin/postgres';
import { writeEvents } from './write-events.js';

// Each batch locks the one checkpoint row, so that replicas project one after another and never twice.
const LOCK_CHECKPOINT = `SELECT position FROM registry.checkpoint FOR UPDATE`;
const READ_CHECKPOINT = `SELECT position FROM registry.checkpoint`;
const ADVANCE_CHECKPOINT = `UPDATE registry.checkpoint SET position = $1`;

/** A run of events that does not follow on the checkpoint: the projection was emptied meanwhile, to be read again. */
export class ProjectionGap extends Error {
  constructor(checkpoint: number, position: number) {
    super(`the projection stands at ${checkpoint} and cannot go on with event ${position}`);
    this.name = 'ProjectionGap';
  }
}

/** Writes the projection: rows and checkpoint together, or nothing. Any number of replicas may do so at once. */
export class ProjectionStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Position of the last event that is in the projection. */
  async checkpoint(): Promise<number> {
    return positionOf(await this.#database.query<{ position: number }>(READ_CHECKPOINT));
  }

  /**
   * Applies a run of events that follow one another in the log. Events that are in the projection already are dropped.
   * @returns the checkpoint afterwards
   * @throws ZodError for an own event this version cannot read; nothing is applied then
   * @throws ProjectionGap if the run begins after a gap, which would be lost for ever
   */
  async project(events: readonly RecordedEvent[]): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const checkpoint = await lockCheckpoint(tx);
      const fresh = events.filter((event) => event.position > checkpoint);
      const [first, last] = [fresh[0], fresh.at(-1)];
      if (first === undefined || last === undefined) return checkpoint;
      if (first.position !== checkpoint + 1) throw new ProjectionGap(checkpoint, first.position);
      await writeEvents(tx, fresh);
      await tx.query(ADVANCE_CHECKPOINT, [last.position]);
      return last.position;
    });
  }
}

/** Position of the last event that is in the projection; nobody else writes until the transaction has ended. */
export async function lockCheckpoint(tx: Queryable): Promise<number> {
  return positionOf(await tx.query<{ position: number }>(LOCK_CHECKPOINT));
}

function positionOf(rows: readonly { position: number }[]): number {
  const row = rows[0];
  if (row === undefined) throw new Error('registry.checkpoint has lost its only row');
  return row.position;
}
