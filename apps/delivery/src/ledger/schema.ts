import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';
import { AttemptSpans1700000000002 } from './attempt-spans.js';

/**
 * How many shards the subscriptions are hashed to. Fixed for the life of an installation, because a shard's checkpoint speaks for
 * the subscriptions in it; eight let eight replicas share the work.
 */
export const SHARDS = 8;

/** The role the service works as. */
export const DELIVERY_ROLE = 'tocsin_delivery';

/** Attempts are append-only in day partitions, so that retention is the detaching of a partition. */
export class CreateDeliverySchema1700000000000 implements MigrationInterface {
  readonly name = 'CreateDeliverySchema1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SCHEMA IF NOT EXISTS delivery;

      -- One row a shard. A lease is taken by raising the epoch; whoever writes names the epoch it holds, and is fenced if it has passed.
      CREATE TABLE delivery.shard (
        id          int PRIMARY KEY,
        epoch       bigint NOT NULL DEFAULT 0,
        owner       text,
        lease_until timestamptz NOT NULL DEFAULT '-infinity',
        checkpoint  bigint NOT NULL DEFAULT 0
      );
      INSERT INTO delivery.shard (id) SELECT generate_series(0, ${SHARDS - 1});

      CREATE TABLE delivery.replica (
        id      text PRIMARY KEY,
        seen_at timestamptz NOT NULL
      );

      -- Subscriptions as of every position that still matters: a revision holds for positions in (from_position, to_position].
      CREATE TABLE delivery.subscription (
        name          text NOT NULL,
        from_position bigint NOT NULL,
        to_position   bigint,
        shard         int NOT NULL,
        spec          jsonb NOT NULL,
        sealed_ref    text NOT NULL,
        PRIMARY KEY (name, from_position)
      );
      CREATE TABLE delivery.projection (
        only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        checkpoint bigint NOT NULL
      );
      INSERT INTO delivery.projection (checkpoint) VALUES (0);

      CREATE TABLE delivery.attempt (
        subscription   text NOT NULL,
        position       bigint NOT NULL,
        shard          int NOT NULL,
        webhook_id     text NOT NULL,
        event_type     text NOT NULL,
        event_subject  text NOT NULL,
        number         int NOT NULL,
        started_at     timestamptz NOT NULL,
        delivered      boolean NOT NULL,
        outcome        text NOT NULL,
        status         int,
        error_class    text,
        detail         text,
        address        text,
        url_hash       text NOT NULL,
        phases_ms      jsonb NOT NULL,
        response_bytes int NOT NULL,
        body_head      text,
        next_at        timestamptz,
        worker         text NOT NULL,
        trace_id       text,
        PRIMARY KEY (subscription, position, number, started_at)
      ) PARTITION BY RANGE (started_at);
      -- What a new owner reads (which positions past the checkpoint are delivered already), and the ledger from its newest end.
      CREATE INDEX attempt_delivered ON delivery.attempt (position, shard) WHERE delivered;
      CREATE TABLE delivery.attempt_rest PARTITION OF delivery.attempt DEFAULT;

      -- Only what is unfinished when the checkpoint passes, or waits for a retry.
      CREATE TABLE delivery.pending (
        subscription text NOT NULL,
        position     bigint NOT NULL,
        shard        int NOT NULL,
        subject      text NOT NULL,
        attempts     int NOT NULL,
        next_at      timestamptz NOT NULL,
        since        timestamptz NOT NULL,
        PRIMARY KEY (subscription, position)
      );
      CREATE INDEX pending_shard ON delivery.pending (shard, position);

      -- Given up, with the reason.
      CREATE TABLE delivery.dead (
        subscription text NOT NULL,
        position     bigint NOT NULL,
        shard        int NOT NULL,
        attempts     int NOT NULL,
        reason       text NOT NULL,
        at           timestamptz NOT NULL,
        PRIMARY KEY (subscription, position)
      );
      CREATE INDEX dead_shard ON delivery.dead (shard, position);

      -- A subscription that is held at a position: everything it wants behind that costs this one row, however much it is.
      CREATE TABLE delivery.parked (
        subscription text PRIMARY KEY,
        shard        int NOT NULL,
        position     bigint NOT NULL,
        reason       text NOT NULL,
        since        timestamptz NOT NULL
      );

      CREATE FUNCTION delivery.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'delivery.attempt is append-only';
      END $$;
      CREATE TRIGGER attempt_append_only BEFORE UPDATE OR DELETE ON delivery.attempt
        FOR EACH ROW EXECUTE FUNCTION delivery.refuse_change();
      ALTER TABLE delivery.attempt ENABLE ALWAYS TRIGGER attempt_append_only;

      -- Makes the day partitions from today to two days ahead. Owned by the migrating user: the service's role may not create tables.
      CREATE FUNCTION delivery.create_attempt_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
      DECLARE
        day date;
        part text;
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('delivery.create_attempt_partitions'));
        FOR offset_days IN 0..2 LOOP
          day := (now() AT TIME ZONE 'UTC')::date + offset_days;
          part := 'attempt_' || to_char(day, 'YYYYMMDD');
          IF to_regclass('delivery.' || part) IS NULL THEN
            EXECUTE format(
              'CREATE TABLE delivery.%I PARTITION OF delivery.attempt FOR VALUES FROM (%L) TO (%L)',
              part, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
          END IF;
        END LOOP;
      END $$;
      SELECT delivery.create_attempt_partitions();

      DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${DELIVERY_ROLE}') THEN CREATE ROLE ${DELIVERY_ROLE} NOLOGIN; END IF;
      END $$;
      GRANT ${DELIVERY_ROLE} TO CURRENT_USER;
      GRANT USAGE ON SCHEMA delivery TO ${DELIVERY_ROLE};
      GRANT SELECT, UPDATE ON delivery.shard TO ${DELIVERY_ROLE};
      GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.replica, delivery.subscription, delivery.pending, delivery.dead, delivery.parked
        TO ${DELIVERY_ROLE};
      GRANT SELECT, UPDATE ON delivery.projection TO ${DELIVERY_ROLE};
      GRANT SELECT, INSERT ON delivery.attempt TO ${DELIVERY_ROLE};
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA delivery CASCADE');
  }
}

/** What is known of endpoints, what gave way to newer events, replays, and the ledger read from its newest end. */
export class DeliveryPolicy1700000000001 implements MigrationInterface {
  readonly name = 'DeliveryPolicy1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Where in the past a subscription began, for the revision that created it.
      ALTER TABLE delivery.subscription ADD COLUMN history jsonb;

      -- replay: the request that sends it again. revived: asked for by hand, not yet seen by the shard's owner.
      ALTER TABLE delivery.pending ADD COLUMN replay bigint, ADD COLUMN revived boolean NOT NULL DEFAULT false;
      CREATE INDEX pending_revived ON delivery.pending (shard, position) WHERE revived;
      CREATE INDEX pending_newest ON delivery.pending (position DESC, subscription);

      -- What is owed again by hand goes back into the lane it had.
      ALTER TABLE delivery.dead ADD COLUMN subject text NOT NULL DEFAULT '';
      DROP INDEX delivery.dead_shard;
      CREATE INDEX dead_newest ON delivery.dead (position DESC, subscription);
      DROP INDEX delivery.attempt_delivered;
      CREATE INDEX attempt_delivered ON delivery.attempt (position DESC, subscription) INCLUDE (shard) WHERE delivered;

      -- One row a subscription that ever failed or was declared in a way that must be acted upon once.
      CREATE TABLE delivery.endpoint (
        subscription text PRIMARY KEY,
        shard        int NOT NULL,
        revision     bigint NOT NULL,
        health       jsonb NOT NULL,
        held_until   timestamptz
      );

      -- Matches of one subject from first_position up to, but not with, by_position gave way to the one there. However many they were,
      -- one row.
      CREATE TABLE delivery.superseded (
        subscription   text NOT NULL,
        subject        text NOT NULL,
        first_position bigint NOT NULL,
        by_position    bigint NOT NULL,
        shard          int NOT NULL,
        events         bigint NOT NULL,
        at             timestamptz NOT NULL,
        PRIMARY KEY (subscription, subject, by_position)
      );
      CREATE INDEX superseded_newest ON delivery.superseded (by_position DESC, subscription);

      -- Events of delivery's own, from the batch that caused them until the log has them.
      CREATE TABLE delivery.announcement (
        id    text PRIMARY KEY,
        shard int NOT NULL,
        event jsonb NOT NULL
      );

      CREATE TABLE delivery.replay (
        subscription text NOT NULL,
        position     bigint NOT NULL,
        shard        int NOT NULL,
        next         bigint NOT NULL,
        spec         jsonb NOT NULL,
        PRIMARY KEY (subscription, position)
      );

      GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.endpoint, delivery.superseded, delivery.announcement, delivery.replay
        TO ${DELIVERY_ROLE};
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE delivery.endpoint, delivery.superseded, delivery.announcement, delivery.replay;
      DROP INDEX delivery.pending_newest, delivery.pending_revived, delivery.dead_newest, delivery.attempt_delivered;
      CREATE INDEX dead_shard ON delivery.dead (shard, position);
      CREATE INDEX attempt_delivered ON delivery.attempt (position, shard) WHERE delivered;
      ALTER TABLE delivery.pending DROP COLUMN replay, DROP COLUMN revived;
      ALTER TABLE delivery.dead DROP COLUMN subject;
      ALTER TABLE delivery.subscription DROP COLUMN history;
    `);
  }
}

/** In the order in which they run. */
export const DELIVERY_MIGRATIONS = [
  CreateDeliverySchema1700000000000,
  DeliveryPolicy1700000000001,
  AttemptSpans1700000000002,
] as const;
