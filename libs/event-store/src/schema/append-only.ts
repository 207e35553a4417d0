/**
 * What keeps the log append-only, whoever is connected: triggers on the parent and on every partition. A TRUNCATE trigger on the parent
 * alone does not protect a partition that is truncated by its own name, and plain triggers are off under
 * `session_replication_role = replica`, so each table has its own, ENABLE ALWAYS.
 */
export const APPEND_ONLY = `
CREATE FUNCTION log.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %.% is refused: the log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

-- Makes one table append-only.
CREATE FUNCTION log.protect(protected regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse()', protected);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', protected);
END $$;

SELECT log.protect('log.event');
SELECT log.protect('log.event_key');
SELECT log.protect('log.known_type');

-- Heads move, and only forward.
CREATE FUNCTION log.forward_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position < OLD.position OR NEW.epoch < OLD.epoch OR NEW.recorded_at < OLD.recorded_at THEN
    RAISE EXCEPTION 'the head of the log only moves forward' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER forward_only BEFORE UPDATE ON log.head FOR EACH ROW EXECUTE FUNCTION log.forward_only();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON log.head FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON log.subject_head FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE log.head ENABLE ALWAYS TRIGGER forward_only;
ALTER TABLE log.head ENABLE ALWAYS TRIGGER stays;
ALTER TABLE log.subject_head ENABLE ALWAYS TRIGGER stays;
`;
