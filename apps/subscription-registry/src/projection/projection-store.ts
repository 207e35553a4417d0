import type { RecordedEvent } from '@tocsin/domain';
import type { Database, Queryable } from '@tocsin/postgres';
import { type Forgetting, type HealthRow, namesIn, readEvents, type Standing, WorkingSet } from './working-set.js';

// Each batch locks the one checkpoint row, so that replicas project one after another and never twice.
const LOCK_CHECKPOINT = `SELECT position FROM registry.checkpoint FOR UPDATE`;
const READ_CHECKPOINT = `SELECT position FROM registry.checkpoint`;
const ADVANCE_CHECKPOINT = `UPDATE registry.checkpoint SET position = $1`;

const STANDING_TARGETS = `SELECT name, owner, created_at FROM registry.target WHERE name = ANY($1)`;
const STANDING_SUBSCRIPTIONS = `
  SELECT name, owner, created_at, sealed_ref FROM registry.subscription WHERE name = ANY($1)`;

const PUT_TARGETS = `
  INSERT INTO registry.target (name, kind, labels, spec, owner, revision, created_at, updated_at)
  SELECT name, kind, labels, spec, owner, revision, created_at, updated_at
    FROM json_to_recordset($1::json) AS row (
      name text, kind text, labels jsonb, spec json, owner text, revision bigint, created_at timestamptz, updated_at timestamptz)
  ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, labels = excluded.labels, spec = excluded.spec, owner = excluded.owner,
    revision = excluded.revision, created_at = excluded.created_at, updated_at = excluded.updated_at`;
const DROP_TARGETS = `DELETE FROM registry.target WHERE name = ANY($1)`;

const PUT_SUBSCRIPTIONS = `
  INSERT INTO registry.subscription (name, labels, spec, sealed_ref, owner, revision, created_at, updated_at)
  SELECT name, labels, spec, sealed_ref, owner, revision, created_at, updated_at
    FROM json_to_recordset($1::json) AS row (
      name text, labels jsonb, spec json, sealed_ref text, owner text, revision bigint, created_at timestamptz, updated_at timestamptz)
  ON CONFLICT (name) DO UPDATE SET
    labels = excluded.labels, spec = excluded.spec, sealed_ref = excluded.sealed_ref, owner = excluded.owner,
    revision = excluded.revision, created_at = excluded.created_at, updated_at = excluded.updated_at`;
const DROP_SUBSCRIPTIONS = `DELETE FROM registry.subscription WHERE name = ANY($1)`;
const ERASE_SEALS = `DELETE FROM registry.sealed WHERE ref = ANY($1)`;

const PUT_HEALTH = `
  INSERT INTO registry.target_health (kind, name, state, since, episode)
  SELECT kind, name, state, since, episode
    FROM json_to_recordset($1::json) AS row (kind text, name text, state text, since timestamptz, episode text)
  ON CONFLICT (kind, name) DO UPDATE SET state = excluded.state, since = excluded.since, episode = excluded.episode`;

const FORGET_HEALTH = `
  DELETE FROM registry.target_health
   USING json_to_recordset($1::json) AS gone (kind text, name text, forget text)
   WHERE target_health.kind = gone.kind AND target_health.name = gone.name
     AND (gone.forget = 'always' OR target_health.state = 'up')`;

const PUT_VERSIONS = `
  INSERT INTO registry.subject_version (subject, version)
  SELECT subject, version FROM json_to_recordset($1::json) AS row (subject text, version bigint)
  ON CONFLICT (subject) DO UPDATE SET version = excluded.version`;

/** A run of events that does not follow on the checkpoint: the projection was emptied meanwhile, to be read again. */
export class ProjectionGap extends Error {
  constructor(checkpoint: number, position: number) {
    super(`the projection stands at ${checkpoint} and cannot go on with event ${position}`);
    this.name = 'ProjectionGap';
  }
}

interface StandingRow {
  name: string;
  owner: string | null;
  created_at: string;
  sealed_ref?: string;
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
      const checkpoint = positionOf(await tx.query<{ position: number }>(LOCK_CHECKPOINT));
      const fresh = events.filter((event) => event.position > checkpoint);
      const [first, last] = [fresh[0], fresh.at(-1)];
      if (first === undefined || last === undefined) return checkpoint;
      if (first.position !== checkpoint + 1) throw new ProjectionGap(checkpoint, first.position);
      await write(tx, fresh);
      await tx.query(ADVANCE_CHECKPOINT, [last.position]);
      return last.position;
    });
  }

  /** Empties what can be read again from the log, and nothing else; the projector then starts from the beginning. */
  async reset(): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx.query(LOCK_CHECKPOINT);
      for (const table of ['target', 'target_health', 'subscription', 'subject_version']) {
        await tx.query(`DELETE FROM registry.${table}`);
      }
      await tx.query(ADVANCE_CHECKPOINT, [0]);
    });
  }
}

async function write(tx: Queryable, events: readonly RecordedEvent[]): Promise<void> {
  const batch = readEvents(events);
  const names = namesIn(batch);
  const rows = new WorkingSet({
    targets: await standing(tx, STANDING_TARGETS, names.targets),
    subscriptions: await standing(tx, STANDING_SUBSCRIPTIONS, names.subscriptions),
  });
  for (const read of batch) rows.apply(read);

  const targets = split(rows.targets);
  await each(tx, DROP_TARGETS, targets.gone);
  await records(
    tx,
    PUT_TARGETS,
    targets.kept.map((row) => ({
      ...columns(row),
      kind: row.spec.kind,
    })),
  );
  const subscriptions = split(rows.subscriptions);
  await each(tx, DROP_SUBSCRIPTIONS, subscriptions.gone);
  await records(
    tx,
    PUT_SUBSCRIPTIONS,
    subscriptions.kept.map((row) => ({ ...columns(row), sealed_ref: row.sealedRef })),
  );
  await each(tx, ERASE_SEALS, rows.erasedSeals);
  await writeHealth(tx, [...rows.health.values()]);
  await records(
    tx,
    PUT_VERSIONS,
    [...rows.versions].map(([subject, version]) => ({ subject, version })),
  );
}

async function writeHealth(tx: Queryable, rows: readonly (HealthRow | Forgetting)[]): Promise<void> {
  const gone = rows.filter((row) => 'forget' in row);
  const judged = rows.filter((row) => 'state' in row);
  await records(
    tx,
    FORGET_HEALTH,
    gone.map(({ targetKind, name, forget }) => ({ kind: targetKind, name, forget })),
  );
  await records(
    tx,
    PUT_HEALTH,
    judged.map(({ targetKind, name, state, since, episode }) => ({
      kind: targetKind,
      name,
      state,
      since,
      episode: episode ?? null,
    })),
  );
}

async function standing(tx: Queryable, sql: string, names: readonly string[]): Promise<Map<string, Standing>> {
  if (names.length === 0) return new Map();
  const rows = await tx.query<StandingRow>(sql, [names]);
  return new Map(
    rows.map((row) => [
      row.name,
      {
        owner: row.owner,
        createdAt: row.created_at,
        ...(row.sealed_ref === undefined ? {} : { sealedRef: row.sealed_ref }),
      },
    ]),
  );
}

function split<Row>(rows: ReadonlyMap<string, Row | null>): { kept: Row[]; gone: string[] } {
  const kept: Row[] = [];
  const gone: string[] = [];
  for (const [name, row] of rows) {
    if (row === null) gone.push(name);
    else kept.push(row);
  }
  return { kept, gone };
}

function columns(row: {
  name: string;
  spec: { labels: Record<string, string> };
  owner: string | null;
  revision: number;
  createdAt: string;
  updatedAt: string;
}) {
  return {
    name: row.name,
    labels: row.spec.labels,
    spec: row.spec,
    owner: row.owner,
    revision: row.revision,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}

async function each(tx: Queryable, sql: string, values: readonly string[]): Promise<void> {
  if (values.length > 0) await tx.query(sql, [values]);
}

async function records(tx: Queryable, sql: string, rows: readonly object[]): Promise<void> {
  if (rows.length > 0) await tx.query(sql, [JSON.stringify(rows)]);
}

function positionOf(rows: readonly { position: number }[]): number {
  const row = rows[0];
  if (row === undefined) throw new Error('registry.checkpoint has lost its only row');
  return row.position;
}
