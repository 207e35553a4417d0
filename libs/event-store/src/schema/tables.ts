/**
 * Tables of the log.
 *
 * Times: `time` is the producer's, `recorded_at` the transaction's; both have milliseconds. `data` and `extensions` are `json`, not `jsonb`: the
 * text stays as it was written. Names compare by bytes (COLLATE "C"): a third of the cost, and no index depends on the system's locale.
 */
export const TABLES = `
-- One row. Whoever appends locks it until commit: that is what makes positions gapless and visible in their order.
-- No writer but the leader of the current epoch gets past it.
CREATE TABLE log.head (
  only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  position    bigint      NOT NULL DEFAULT 0 CHECK (position >= 0),
  epoch       bigint      NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  recorded_at timestamptz(3) NOT NULL DEFAULT '-infinity'
);
INSERT INTO log.head DEFAULT VALUES;

CREATE TABLE log.event (
  position        bigint         NOT NULL,
  version         bigint         NOT NULL,
  time            timestamptz(3) NOT NULL,
  recorded_at     timestamptz(3) NOT NULL,
  id              text COLLATE "C"           NOT NULL,
  source          text COLLATE "C"           NOT NULL,
  subject         text COLLATE "C"           NOT NULL,
  type            text COLLATE "C"           NOT NULL,
  leaf_hash       bytea          NOT NULL,
  datacontenttype text,
  dataschema      text,
  extensions      json           NOT NULL,
  data            json,
  -- Reads by position.
  CONSTRAINT event_pkey PRIMARY KEY (position)
) PARTITION BY RANGE (position);
-- Reads of one subject, and its newest event.
CREATE INDEX event_subject ON log.event (subject, position);
-- Reads of some types, each in order of position.
CREATE INDEX event_type ON log.event (type, position);

-- Which positions are where; a detached partition keeps its row, so that a gap at the start is told from a loss.
CREATE TABLE log.partition (
  name          name        PRIMARY KEY,
  from_position bigint      NOT NULL UNIQUE,
  to_position   bigint      NOT NULL UNIQUE,
  detached_at   timestamptz,
  CHECK (from_position < to_position)
);

CREATE TABLE log.subject_head (
  subject  text COLLATE "C"   PRIMARY KEY,
  version  bigint NOT NULL,
  position bigint NOT NULL
) WITH (fillfactor = 70);

-- What makes appends idempotent for ever: it outlives the partition its event was in, and says all a repeat has to be told.
-- "id" leads the key because it grows with time (UUIDv7): inserts stay on the right edge, and reads by id alone use it too.
CREATE TABLE log.event_key (
  position     bigint         NOT NULL,
  version      bigint         NOT NULL,
  recorded_at  timestamptz(3) NOT NULL,
  id           text COLLATE "C"           NOT NULL,
  source       text COLLATE "C"           NOT NULL,
  content_hash bytea          NOT NULL,
  -- The part after "evt_" of the webhook key, where that is not the id itself.
  webhook_key  bytea,
  PRIMARY KEY (id, source)
);
-- Reads by webhook key.
CREATE INDEX event_key_webhook ON log.event_key (webhook_key) WHERE webhook_key IS NOT NULL;

-- Every type ever recorded: patterns are resolved against it.
CREATE TABLE log.known_type (type text COLLATE "C" PRIMARY KEY);
`;
