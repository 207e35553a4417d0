/** Epoch milliseconds to a time. */
const time = (field: string): string => `to_timestamp(${field} / 1000.0)`;
/** Rows to be written, each with the shard it belongs to. */
const given = (alias: string, rows: string, columns: string): string =>
  `fence JOIN json_to_recordset(${rows}::json) AS ${alias}(shard int, ${columns}) ON ${alias}.shard = fence.id`;
/** Keys of rows to be taken away, likewise. */
const keys = (shards: string, subscriptions: string, positions: string): string =>
  `unnest(${shards}::int[], ${subscriptions}::text[], ${positions}::bigint[]) AS g(shard, subscription, position)`;
const names = (shards: string, keyed: string): string => `unnest(${shards}::int[], ${keyed}::text[]) AS g(shard, name)`;

/**
 * The parts of the one statement that writes the batches of several shards, each part for one kind of row. Every row hangs on `fence`:
 * nothing of a shard is written unless this process still holds its epoch, so an owner that was away too long cannot disturb the one that
 * has taken over. Rows of shards are locked in one order everywhere, so that no two statements wait for each other.
 * Index: the primary keys of all tables.
 */
export const FLUSH_PARTS = {
  fence: (shards: string, epochs: string, checkpoints: string) =>
    `WITH mine AS (
    SELECT shard.id, m.checkpoint FROM delivery.shard
    JOIN unnest(${shards}::int[], ${epochs}::bigint[], ${checkpoints}::bigint[]) AS m(id, epoch, checkpoint)
      ON shard.id = m.id AND shard.epoch = m.epoch
    ORDER BY shard.id FOR NO KEY UPDATE OF shard
  ), fence AS (
    UPDATE delivery.shard SET checkpoint = greatest(shard.checkpoint, mine.checkpoint) FROM mine
    WHERE shard.id = mine.id RETURNING shard.id
  )`,
  held_fence: () => '\n  SELECT id AS shard FROM fence',
  attempts: (rows: string) => `attempts AS (
    INSERT INTO delivery.attempt (subscription, position, shard, webhook_id, event_type, event_subject, number, started_at, delivered,
      outcome, status, error_class, detail, address, url_hash, phases_ms, response_bytes, body_head, next_at, worker, trace_id, span_id)
    SELECT a.subscription, a.position, fence.id, a."webhookId", a."eventType", a."eventSubject", a.number,
      ${time('a."startedAt"')}, a.delivered, a.outcome, a.status, a."errorClass", a.detail, a.address, a."urlHash",
      a."phasesMs", a."responseBytes", a."bodyHead", ${time('a."nextAt"')}, a.worker, a."traceId", a."spanId"
    FROM ${given(
      'a',
      rows,
      `subscription text, position bigint, "webhookId" text, "eventType" text,
      "eventSubject" text, number int, "startedAt" float8, delivered boolean, outcome text, status int, "errorClass" text, detail text,
      address text, "urlHash" text, "phasesMs" jsonb, "responseBytes" int, "bodyHead" text, "nextAt" float8, worker text, "traceId" text, "spanId" text`,
    )}
    ON CONFLICT DO NOTHING
  )`,
  kept: (rows: string) => `kept AS (
    INSERT INTO delivery.pending (subscription, position, shard, subject, attempts, next_at, since, replay)
    SELECT p.subscription, p.position, fence.id, p.subject, p.attempts, ${time('p."nextAt"')}, ${time('p.since')}, p.replay
    FROM ${given('p', rows, `subscription text, position bigint, subject text, attempts int, "nextAt" float8, since float8, replay bigint`)}
    ON CONFLICT (subscription, position) DO UPDATE SET attempts = excluded.attempts, next_at = excluded.next_at
  )`,
  gone: (shards: string, subscriptions: string, positions: string) => `gone AS (
    DELETE FROM delivery.pending USING fence, ${keys(shards, subscriptions, positions)}
    WHERE g.shard = fence.id AND pending.subscription = g.subscription AND pending.position = g.position
  )`,
  died: (rows: string) => `died AS (
    INSERT INTO delivery.dead (subscription, position, shard, subject, attempts, reason, at)
    SELECT d.subscription, d.position, fence.id, d.subject, d.attempts, d.reason, ${time('d.at')}
    FROM ${given('d', rows, `subscription text, position bigint, subject text, attempts int, reason text, at float8`)}
    ON CONFLICT (subscription, position) DO UPDATE SET attempts = excluded.attempts, reason = excluded.reason, at = excluded.at
  )`,
  revived: (shards: string, subscriptions: string, positions: string) => `revived AS (
    DELETE FROM delivery.dead USING fence, ${keys(shards, subscriptions, positions)}
    WHERE g.shard = fence.id AND dead.subscription = g.subscription AND dead.position = g.position
  )`,
  held: (rows: string) => `held AS (
    INSERT INTO delivery.parked (subscription, shard, position, reason, since)
    SELECT h.subscription, fence.id, h.position, h.reason, ${time('h.since')}
    FROM ${given('h', rows, `subscription text, position bigint, reason text, since float8`)}
    ON CONFLICT (subscription) DO UPDATE SET position = excluded.position, reason = excluded.reason
  )`,
  released: (shards: string, subscriptions: string) => `released AS (
    DELETE FROM delivery.parked USING fence, ${names(shards, subscriptions)}
    WHERE g.shard = fence.id AND parked.subscription = g.name
  )`,
  endpoints: (rows: string) => `endpoints AS (
    INSERT INTO delivery.endpoint (subscription, shard, revision, health, held_until)
    SELECT e.subscription, fence.id, e.revision, e.health, ${time('e."heldUntil"')}
    FROM ${given('e', rows, `subscription text, revision bigint, health jsonb, "heldUntil" float8`)}
    ON CONFLICT (subscription) DO UPDATE
      SET revision = excluded.revision, health = excluded.health, held_until = excluded.held_until
  )`,
  forgotten: (shards: string, subscriptions: string) => `forgotten AS (
    DELETE FROM delivery.endpoint USING fence, ${names(shards, subscriptions)}
    WHERE g.shard = fence.id AND endpoint.subscription = g.name
  )`,
  superseded: (rows: string) => `superseded AS (
    INSERT INTO delivery.superseded (subscription, subject, first_position, by_position, shard, events, at)
    SELECT s.subscription, s.subject, s.first, s.by, fence.id, s.events, ${time('s.at')}
    FROM ${given('s', rows, `subscription text, subject text, first bigint, by bigint, events bigint, at float8`)}
    ON CONFLICT (subscription, subject, by_position) DO UPDATE
      SET first_position = least(superseded.first_position, excluded.first_position), events = superseded.events + excluded.events
  )`,
  announcements: (rows: string) => `announcements AS (
    INSERT INTO delivery.announcement (id, shard, event)
    SELECT n.id, fence.id, n.event FROM ${given('n', rows, `id text, event jsonb`)}
    ON CONFLICT DO NOTHING
  )`,
  announced: (shards: string, ids: string) => `announced AS (
    DELETE FROM delivery.announcement USING fence, ${names(shards, ids)}
    WHERE g.shard = fence.id AND announcement.id = g.name
  )`,
  replays: (rows: string) => `replays AS (
    INSERT INTO delivery.replay (subscription, position, shard, next, spec)
    SELECT r.subscription, r.position, fence.id, r.next, r.spec
    FROM ${given('r', rows, `subscription text, position bigint, next bigint, spec jsonb`)}
    ON CONFLICT (subscription, position) DO UPDATE SET next = excluded.next
  )`,
  replayed: (shards: string, subscriptions: string, positions: string) => `replayed AS (
    DELETE FROM delivery.replay USING fence, ${keys(shards, subscriptions, positions)}
    WHERE g.shard = fence.id AND replay.subscription = g.subscription AND replay.position = g.position
  )`,
} as const satisfies Record<string, (...parameters: string[]) => string>;

/** A part that takes parameters; all but the fence are there only if they have something to write. */
export type FlushPart = Exclude<keyof typeof FLUSH_PARTS, 'held_fence'>;
