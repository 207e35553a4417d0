/** What the recorder's role may do, and nothing else: read all, add events and keys, move the heads. */
export const GRANTS = `
REVOKE ALL ON SCHEMA log FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA log FROM PUBLIC;
GRANT USAGE ON SCHEMA log TO tocsin_recorder;
GRANT SELECT ON log.head, log.event, log.partition, log.subject_head, log.event_key, log.known_type TO tocsin_recorder;
GRANT INSERT ON log.event, log.event_key, log.subject_head, log.known_type TO tocsin_recorder;
GRANT UPDATE (position, epoch, recorded_at) ON log.head TO tocsin_recorder;
GRANT UPDATE (version, position) ON log.subject_head TO tocsin_recorder;
GRANT EXECUTE ON FUNCTION log.append, log.ensure_partitions, log.first_position, log.position_before,
  log.walk, log.latest TO tocsin_recorder;
`;
