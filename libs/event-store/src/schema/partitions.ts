/**
 * Partitions: made ahead of need, given up from the oldest.
 *
 * A million positions each: at a state change a second that is eleven days, at 25,000 appends a second 40 seconds, and an index of it stays
 * in memory.
 */
export const PARTITIONS = `
-- Adds the partition that follows the last one. The new table is filled with indexes and triggers first and attached then, because
-- CREATE TABLE … PARTITION OF would lock out readers and writers, while ATTACH does not.
CREATE FUNCTION log.add_partition(size bigint) RETURNS name LANGUAGE plpgsql AS $$
DECLARE
  first bigint := coalesce((SELECT max(to_position) FROM log.partition), 1);
  added name := 'event_' || lpad(first::text, 15, '0');
BEGIN
  EXECUTE format('CREATE TABLE log.%I (LIKE log.event INCLUDING ALL)', added);
  EXECUTE format('ALTER TABLE log.%I ADD CONSTRAINT bounds CHECK (position >= %s AND position < %s)', added, first, first + size);
  PERFORM log.protect(format('log.%I', added)::regclass);
  EXECUTE format('ALTER TABLE log.event ATTACH PARTITION log.%I FOR VALUES FROM (%s) TO (%s)', added, first, first + size);
  EXECUTE format('ALTER TABLE log.%I DROP CONSTRAINT bounds', added);
  INSERT INTO log.partition (name, from_position, to_position) VALUES (added, first, first + size);
  RETURN added;
END $$;

-- Keeps at least one whole partition free ahead of the head. The recorder calls it and owns no table, hence SECURITY DEFINER.
CREATE FUNCTION log.ensure_partitions() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  size CONSTANT bigint := 1000000;
  free_until bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('tocsin/log/partitions', 0));
  LOOP
    SELECT coalesce(max(to_position), 0) INTO free_until FROM log.partition;
    EXIT WHEN free_until >= (SELECT position FROM log.head) + size;
    PERFORM log.add_partition(size);
  END LOOP;
  RETURN free_until;
END $$;

-- Retention: detaches the partitions that lie wholly below a position. They stay as tables, still append-only, to be dumped and dropped.
CREATE FUNCTION log.detach_partitions(keep_from bigint) RETURNS SETOF name LANGUAGE plpgsql AS $$
DECLARE
  old name;
BEGIN
  FOR old IN
    SELECT name FROM log.partition
     WHERE detached_at IS NULL AND to_position <= least(keep_from, (SELECT position FROM log.head))
     ORDER BY from_position
  LOOP
    EXECUTE format('ALTER TABLE log.event DETACH PARTITION log.%I', old);
    UPDATE log.partition SET detached_at = clock_timestamp() WHERE name = old;
    RETURN NEXT old;
  END LOOP;
END $$;

-- First position that is still attached.
CREATE FUNCTION log.first_position() RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT min(from_position) FROM log.partition WHERE detached_at IS NULL
$$;

-- Last position recorded before a time. Recording times never run backward, so halving finds it: twenty steps for a million events.
CREATE FUNCTION log.position_before(at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint := log.first_position();
  high bigint := (SELECT position FROM log.head) + 1;
  middle bigint;
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    IF (SELECT recorded_at FROM log.event WHERE position = middle) < at THEN
      low := middle + 1;
    ELSE
      high := middle;
    END IF;
  END LOOP;
  RETURN low - 1;
END $$;

SELECT log.ensure_partitions();
`;
