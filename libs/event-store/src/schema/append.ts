/**
 * The append: one statement is one batch is one transaction is one round trip.
 *
 * It runs as its caller, so the role's privileges count. Callers keep two rules (see `batch.ts`): no key occurs twice in a batch, and
 * a subject whose version is expected belongs to one append of the batch only. So no append's fate depends on another's, and one pass
 * over sets decides them all.
 *
 * Answer, as JSON, with ordinals from 0 and times in milliseconds since 1970: the head `before`; `recordedAt` and `versions` of what is
 * new, in order, their positions following `before`; `known`, what was there before: [ordinal, position, version, recordedAt];
 * `reused`, ordinals of keys with other content; `conflicts`, expectations that do not hold: [index, actual version].
 */
export const APPEND = `
CREATE FUNCTION log.append(
  in_epoch bigint,
  in_append int[], in_id text[], in_source text[], in_subject text[], in_type text[], in_time timestamptz[],
  in_datacontenttype text[], in_dataschema text[], in_extensions text[], in_data text[],
  in_content_hash bytea[], in_webhook_key bytea[],
  in_expect_append int[], in_expect_subject text[], in_expect_version bigint[],
  in_new_types text[]
) RETURNS json LANGUAGE plpgsql
-- Plans are kept over a session; one made while the tables were empty must still be right when they hold millions.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  head_before bigint;
  head_epoch bigint;
  at timestamptz(3);
  at_bytes bytea;
  answer json;
  added bigint;
BEGIN
  -- "Accepted" means on disk, also where a server's default says otherwise.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;

  SELECT position, epoch, greatest(now()::timestamptz(3), recorded_at) INTO head_before, head_epoch, at
    FROM log.head FOR NO KEY UPDATE;
  IF head_epoch <> in_epoch THEN
    RAISE EXCEPTION 'epoch % has been followed by %', in_epoch, head_epoch USING ERRCODE = 'TCN01';
  END IF;
  at_bytes := int8send((extract(epoch FROM at) * 1000)::bigint);

  IF cardinality(in_new_types) > 0 THEN
    INSERT INTO log.known_type SELECT unnest(in_new_types) ON CONFLICT DO NOTHING;
  END IF;

  WITH given AS MATERIALIZED (
    SELECT i.*, k.position AS known_position, k.version AS known_version, k.recorded_at AS known_at,
           k.content_hash <> i.content_hash AS reused
      FROM unnest(in_append, in_id, in_source, in_subject, in_type, in_time, in_datacontenttype, in_dataschema,
                  in_extensions, in_data, in_content_hash, in_webhook_key)
           WITH ORDINALITY AS i (append, id, source, subject, type, time, datacontenttype, dataschema,
                                 extensions, data, content_hash, webhook_key, ordinal)
      LEFT JOIN LATERAL (
           SELECT position, version, recorded_at, content_hash
             FROM log.event_key WHERE id = i.id AND source = i.source OFFSET 0) k ON true
  ), conflict AS MATERIALIZED (
    SELECT x.append, x.index - 1 AS index, actual.version AS actual
      FROM unnest(in_expect_append, in_expect_subject, in_expect_version)
           WITH ORDINALITY AS x (append, subject, version, index)
      CROSS JOIN LATERAL (
           SELECT coalesce((SELECT version FROM log.subject_head WHERE subject = x.subject), 0) AS version OFFSET 0) actual
     WHERE actual.version <> x.version
       -- A repeat moved its subject itself when it was recorded: it is answered, not checked again.
       AND x.append IN (SELECT append FROM given WHERE known_position IS NULL)
  ), fresh AS MATERIALIZED (
    SELECT g.*,
           coalesce((SELECT h.version FROM log.subject_head h WHERE h.subject = g.subject), 0)
             + row_number() OVER (PARTITION BY g.subject ORDER BY g.ordinal) AS version,
           head_before + row_number() OVER (ORDER BY g.ordinal) AS position
      FROM given g
     WHERE g.known_position IS NULL
       AND g.append NOT IN (SELECT append FROM conflict UNION ALL SELECT append FROM given WHERE reused)
  ), new_event AS (
    INSERT INTO log.event (position, version, time, recorded_at, id, source, subject, type, leaf_hash,
                           datacontenttype, dataschema, extensions, data)
    SELECT position, version, time, at, id, source, subject, type,
           sha256('\\x00'::bytea || content_hash || int8send(position) || int8send(version) || at_bytes),
           datacontenttype, dataschema, extensions::json, data::json
      FROM fresh ORDER BY position
  ), new_key AS (
    INSERT INTO log.event_key (position, version, recorded_at, id, source, content_hash, webhook_key)
    SELECT position, version, at, id, source, content_hash, webhook_key FROM fresh ORDER BY position
  ), moved AS (
    INSERT INTO log.subject_head AS h (subject, version, position)
    SELECT subject, max(version), max(position) FROM fresh GROUP BY subject
    ON CONFLICT (subject) DO UPDATE SET version = excluded.version, position = excluded.position
  )
  SELECT json_build_object(
           'before', head_before,
           'recordedAt', (extract(epoch FROM at) * 1000)::bigint,
           'versions', (SELECT json_agg(version) FROM fresh),
           'known', (SELECT json_agg(json_build_array(ordinal - 1, known_position, known_version, (extract(epoch FROM known_at) * 1000)::bigint))
                       FROM given WHERE known_position IS NOT NULL),
           'reused', (SELECT json_agg(ordinal - 1) FROM given WHERE reused),
           'conflicts', (SELECT json_agg(json_build_array(index, actual)) FROM conflict)),
         (SELECT count(*) FROM fresh)
    INTO answer, added;

  IF added > 0 THEN
    UPDATE log.head SET position = head_before + added, recorded_at = at;
    PERFORM pg_notify('tocsin_log', (head_before + added)::text);
  END IF;
  RETURN answer;
END $$;
`;
