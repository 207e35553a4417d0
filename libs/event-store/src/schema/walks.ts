/**
 * Walks along the indexes on (subject, position) and (type, position).
 *
 * The planner must not choose: with a LIMIT it likes to walk the events by position and filter, on the guess that a match will come
 * soon, and for what is rare that is the whole log. So the two columns are compared and ordered as rows, an order that only the right
 * index has, and sorting is off. The bounds stand there once more by themselves, for partitions to be left out. The functions are
 * STABLE, so they see what the statement that calls them sees.
 */
const AS_INTENDED = `LANGUAGE plpgsql STABLE
  SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan`;

function walk(column: 'subject' | 'type', value: string, order: 'ASC' | 'DESC', filter: string): string {
  return `
    SELECT e.position FROM log.event e
     WHERE (e.${column}, e.position) > (${value}, in_low) AND (e.${column}, e.position) < (${value}, in_high)
       AND e.position > in_low AND e.position < in_high AND ${filter}
     ORDER BY e.${column} ${order}, e.position ${order} LIMIT in_limit`;
}

function ofSubject(order: 'ASC' | 'DESC'): string {
  return walk('subject', 'in_subject', order, '(in_types IS NULL OR e.type ~ ANY (in_types))');
}

function ofTypes(order: 'ASC' | 'DESC'): string {
  return `
    SELECT hit.position
      FROM (SELECT type FROM log.known_type WHERE type ~ ANY (in_types)) known
     CROSS JOIN LATERAL (${walk('type', 'known.type', order, 'true')}) hit`;
}

export const WALKS = `
-- Positions between two bounds (both excluded) of one subject, of types that match a regular expression, or both. Of each type the first
-- "in_limit" in the direction asked for, so the caller has to order and limit.
CREATE FUNCTION log.walk(in_subject text, in_types text[], in_low bigint, in_high bigint, in_backward boolean, in_limit bigint)
RETURNS SETOF bigint ${AS_INTENDED} ROWS 100
AS $$
BEGIN
  IF in_subject IS NOT NULL AND in_backward THEN
    RETURN QUERY ${ofSubject('DESC')};
  ELSIF in_subject IS NOT NULL THEN
    RETURN QUERY ${ofSubject('ASC')};
  ELSIF in_backward THEN
    RETURN QUERY ${ofTypes('DESC')};
  ELSE
    RETURN QUERY ${ofTypes('ASC')};
  END IF;
END $$;

-- For each subject its version, and the position of its newest event of some types (exact) and of a source.
CREATE FUNCTION log.latest(in_subjects text[], in_types text[], in_source text)
RETURNS TABLE (subject text, version bigint, newest bigint) ${AS_INTENDED} ROWS 100
AS $$
BEGIN
  RETURN QUERY
  SELECT s.subject, coalesce(h.version, 0), l.position
    FROM (SELECT DISTINCT unnest(in_subjects) COLLATE "C" AS subject) s
    LEFT JOIN LATERAL (SELECT * FROM log.subject_head k WHERE k.subject = s.subject OFFSET 0) h ON true
    LEFT JOIN LATERAL (
         SELECT e.position FROM log.event e
          WHERE (e.subject, e.position) <= (s.subject, h.position) AND (e.subject, e.position) > (s.subject, 0)
            AND e.position <= h.position
            AND (in_types IS NULL OR e.type = ANY (in_types)) AND (in_source IS NULL OR e.source = in_source)
          ORDER BY e.subject DESC, e.position DESC LIMIT 1) l ON true;
END $$;
`;
