import type { RecordedEvent } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { type Forgetting, type HealthRow, namesIn, readEvents, type Standing, WorkingSet } from './working-set.js';

const STANDING_TARGETS = `SELECT name, owner, created_at FROM registry.target WHERE name = ANY($1)`;
const STANDING_SUBSCRIPTIONS = `
  SELECT name, owner, created_at, sealed_ref FROM registry.subscription WHERE name = ANY($1)`;

const PUT_TARGETS = `
  INSERT INTO registry.target (name, kind, labels, spec, heartbeat, owner, revision, created_at, updated_at)
  SELECT name, kind, labels, spec, heartbeat, owner, revision, created_at, updated_at
    FROM json_to_recordset($1::json) AS row (
      name text, kind text, labels jsonb, spec json, heartbeat json, owner text, revision bigint, created_at timestamptz,
      updated_at timestamptz)
  ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, labels = excluded.labels, spec = excluded.spec, heartbeat = excluded.heartbeat, owner = excluded.owner,
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
const DROP_DISABLEMENTS = `DELETE FROM registry.disablement WHERE name = ANY($1)`;
const PUT_DISABLEMENTS = `
  INSERT INTO registry.disablement (name, revision, since, reason, answer)
  SELECT name, revision, since, reason, answer
    FROM json_to_recordset($1::json) AS row (name text, revision bigint, since timestamptz, reason text, answer text)
  ON CONFLICT (name) DO UPDATE SET
    revision = excluded.revision, since = excluded.since, reason = excluded.reason, answer = excluded.answer`;
const ERASE_SEALS = `DELETE FROM registry.sealed WHERE ref = ANY($1)`;

const STANDING_KEYS = `SELECT name, NULL AS owner, created_at, key_id FROM registry.api_key WHERE name = ANY($1)`;
const PUT_KEYS = `
  INSERT INTO registry.api_key (name, spec, key_id, revision, created_at, updated_at)
  SELECT name, spec, key_id, revision, created_at, updated_at
    FROM json_to_recordset($1::json) AS row (
      name text, spec json, key_id text, revision bigint, created_at timestamptz, updated_at timestamptz)
  ON CONFLICT (name) DO UPDATE SET
    spec = excluded.spec, key_id = excluded.key_id, revision = excluded.revision,
    created_at = excluded.created_at, updated_at = excluded.updated_at`;
const DROP_KEYS = `DELETE FROM registry.api_key WHERE name = ANY($1)`;
const ERASE_KEYS = `DELETE FROM registry.key_secret WHERE key_id = ANY($1)`;

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

interface StandingRow {
  name: string;
  owner: string | null;
  created_at: string;
  sealed_ref?: string;
  key_id?: string;
}

/**
 * Writes what a run of events changes, in a few statements, however many events there are.
 * @param tx holds the checkpoint locked
 * @throws ZodError for an own event this version cannot read
 */
export async function writeEvents(tx: Queryable, events: readonly RecordedEvent[]): Promise<void> {
  const batch = readEvents(events);
  const names = namesIn(batch);
  const rows = new WorkingSet({
    targets: await standing(tx, STANDING_TARGETS, names.targets),
    subscriptions: await standing(tx, STANDING_SUBSCRIPTIONS, names.subscriptions),
    keys: await standing(tx, STANDING_KEYS, names.keys),
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
      ...(row.heartbeat === undefined ? {} : { heartbeat: row.heartbeat }),
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
  const disablements = split(rows.disablements);
  await each(tx, DROP_DISABLEMENTS, disablements.gone);
  await records(tx, PUT_DISABLEMENTS, disablements.kept);
  const keys = split(rows.keys);
  await each(tx, DROP_KEYS, keys.gone);
  await records(
    tx,
    PUT_KEYS,
    keys.kept.map(({ name, spec, keyId, revision, createdAt, updatedAt }) => ({
      name,
      spec,
      key_id: keyId,
      revision,
      created_at: createdAt,
      updated_at: updatedAt,
    })),
  );
  await each(tx, ERASE_KEYS, rows.erasedKeys);
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
        ...(row.key_id === undefined ? {} : { keyId: row.key_id }),
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
