import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';

/**
 * The append of what has never been recorded and expects what is the case, which is nearly every batch: `log.append` without its questions.
 * Nothing is looked up, sorted or numbered here; the caller says which events share a subject. A key that is known or a version that does
 * not hold makes the statement fail as a whole, for `log.append` to find out whose it is.
 *
 * Callers keep the rules of `log.append`, and these: no subject occurs twice among those that move; `in_moved` is the index of an event's
 * subject, from 1; `in_behind` counts the later events of the same subject in this batch; `in_moved_expected` is empty, or has the version
 * each subject must be at, NULL for any. Answer, as JSON: the head `before`, `recordedAt`, milliseconds since 1970, and the `versions` the
 * subjects have reached.
 */
const APPEND_FRESH = `
CREATE FUNCTION log.append_fresh(
  in_epoch bigint,
  in_id text[], in_source text[], in_subject text[], in_type text[], in_time timestamptz[],
  in_datacontenttype text[], in_dataschema text[], in_extensions json[], in_data json[],
  in_content_hash bytea[], in_webhook_key bytea[], in_moved int[], in_behind int[],
  in_moved_subject text[], in_moved_events int[], in_moved_last int[],
  in_moved_expected bigint[],
  in_new_types text[]
) RETURNS json LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  head_before bigint;
  at timestamptz(3);
  at_ms bigint;
  at_bytes bytea;
  versions bigint[];
  in_order boolean;
BEGIN
  -- "Accepted" means on disk, also where a server's default says otherwise.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;

  UPDATE log.head SET position = position + cardinality(in_id), recorded_at = greatest(now()::timestamptz(3), recorded_at)
   WHERE epoch = in_epoch RETURNING position - cardinality(in_id), recorded_at INTO head_before, at;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'epoch % has ended', in_epoch USING ERRCODE = 'TCN01';
  END IF;
  at_ms := (extract(epoch FROM at) * 1000)::bigint;
  at_bytes := int8send(at_ms);

  IF cardinality(in_new_types) > 0 THEN
    INSERT INTO log.known_type SELECT unnest(in_new_types) ON CONFLICT DO NOTHING;
  END IF;

  WITH moved AS (
    INSERT INTO log.subject_head AS h (subject, version, position)
    SELECT subject, events, head_before + last
      FROM unnest(in_moved_subject, in_moved_events, in_moved_last) AS m (subject, events, last)
    ON CONFLICT (subject) DO UPDATE SET version = h.version + excluded.version, position = excluded.position
    RETURNING h.subject, h.version
  )
  SELECT array_agg(version), array_agg(subject) = in_moved_subject INTO versions, in_order FROM moved;
  -- Versions are told apart by their place, so the place must not be left to the executor's good will.
  IF in_order IS NOT TRUE THEN
    RAISE EXCEPTION 'the subjects of a batch came back in another order';
  END IF;
  IF cardinality(in_moved_expected) > 0 AND EXISTS (
       SELECT FROM unnest(versions, in_moved_events, in_moved_expected) AS m (reached, events, expected)
        WHERE reached - events <> expected) THEN
    RAISE EXCEPTION 'a subject of the batch is not at the version expected' USING ERRCODE = 'TCN02';
  END IF;

  INSERT INTO log.event (position, version, time, recorded_at, id, source, subject, type, leaf_hash,
                         datacontenttype, dataschema, extensions, data)
  SELECT head_before + ordinal, versions[moved] - behind, time, at, id, source, subject, type,
         sha256('\\x00'::bytea || content_hash || int8send(head_before + ordinal) || int8send(versions[moved] - behind) || at_bytes),
         datacontenttype, dataschema, extensions, data
    FROM unnest(in_id, in_source, in_subject, in_type, in_time, in_datacontenttype, in_dataschema, in_extensions, in_data,
                in_content_hash, in_moved, in_behind)
         WITH ORDINALITY AS e (id, source, subject, type, time, datacontenttype, dataschema, extensions, data,
                               content_hash, moved, behind, ordinal);

  INSERT INTO log.event_key (position, version, recorded_at, id, source, content_hash, webhook_key)
  SELECT head_before + ordinal, versions[moved] - behind, at, id, source, content_hash, webhook_key
    FROM unnest(in_id, in_source, in_content_hash, in_webhook_key, in_moved, in_behind)
         WITH ORDINALITY AS e (id, source, content_hash, webhook_key, moved, behind, ordinal);

  PERFORM pg_notify('tocsin_log', (head_before + cardinality(in_id))::text);
  RETURN json_build_object('before', head_before, 'recordedAt', at_ms, 'versions', versions);
END $$;
REVOKE ALL ON FUNCTION log.append_fresh FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log.append_fresh TO tocsin_recorder;
`;

/** Adds the short way into the log. */
export class AppendFresh1767484800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(APPEND_FRESH);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION log.append_fresh');
  }
}
