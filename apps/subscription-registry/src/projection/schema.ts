import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';

/** Schema of the registry. Nothing outside this service reads or writes it. */
export const REGISTRY_SCHEMA = 'registry';

/** The role the service works as: it reads and writes its own schema and nothing else. */
export const REGISTRY_ROLE = 'tocsin_registry';

/**
 * Everything but `sealed` is a projection of the log: it can be emptied and read again, with the same result. `sealed` is not:
 * it holds what must never stand in the log, and an erased row is meant to be gone.
 */
export class CreateRegistry1790000000000 implements MigrationInterface {
  readonly name = 'CreateRegistry1790000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Position of the last event that is in the tables below. One row; whoever projects holds it locked.
      CREATE TABLE registry.checkpoint (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        position bigint  NOT NULL
      )`);
    await runner.query(`INSERT INTO registry.checkpoint (position) VALUES (0)`);
    await runner.query(`
      -- Version of each subject this service appends to. It outlives the thing: the next life of a name goes on counting.
      CREATE TABLE registry.subject_version (
        subject text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE registry.target (
        name       text COLLATE "C" PRIMARY KEY,
        kind       text        NOT NULL,
        labels     jsonb       NOT NULL,
        -- json, not jsonb: the fields stay in the order in which people read them.
        spec       json        NOT NULL,
        owner      text,
        revision   bigint      NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`);
    await runner.query(`CREATE INDEX target_labels ON registry.target USING gin (labels jsonb_path_ops)`);
    await runner.query(`
      -- By kind and name, as the subjects of health events are; kept when a declaration goes: an outage that was announced is
      -- open until its recovery is announced, also over a target that was removed and declared again.
      CREATE TABLE registry.target_health (
        kind    text COLLATE "C" NOT NULL,
        name    text COLLATE "C" NOT NULL,
        state   text             NOT NULL,
        since   timestamptz      NOT NULL,
        episode text,
        PRIMARY KEY (kind, name)
      )`);
    await runner.query(`
      CREATE TABLE registry.subscription (
        name       text COLLATE "C" PRIMARY KEY,
        labels     jsonb       NOT NULL,
        spec       json        NOT NULL,
        sealed_ref text        NOT NULL,
        owner      text,
        revision   bigint      NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`);
    await runner.query(`CREATE INDEX subscription_labels ON registry.subscription USING gin (labels jsonb_path_ops)`);
    await runner.query(`
      CREATE TABLE registry.sealed (
        ref          text COLLATE "C" PRIMARY KEY,
        subscription text COLLATE "C" NOT NULL,
        envelope     bytea            NOT NULL,
        sealed_at    timestamptz      NOT NULL DEFAULT now()
      )`);
    await runner.query(`CREATE INDEX sealed_by_age ON registry.sealed (sealed_at)`);
    await runner.query(`GRANT USAGE ON SCHEMA registry TO ${REGISTRY_ROLE}`);
    await runner.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE
          ON registry.checkpoint, registry.subject_version, registry.target, registry.target_health,
             registry.subscription, registry.sealed
          TO ${REGISTRY_ROLE}`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE registry.sealed, registry.subscription, registry.target_health, registry.target,
                  registry.subject_version, registry.checkpoint`,
    );
  }
}

/** Answers to writes that carried an `Idempotency-Key`, sealed; no projection either. */
export class KeepAnswers1790000000001 implements MigrationInterface {
  readonly name = 'KeepAnswers1790000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE registry.answer (
        caller      text        NOT NULL,
        key         text        NOT NULL,
        fingerprint bytea       NOT NULL,
        began_at    timestamptz NOT NULL DEFAULT now(),
        -- Null while the request is under way.
        envelope    bytea,
        PRIMARY KEY (caller, key)
      )`);
    await runner.query(`CREATE INDEX answer_by_age ON registry.answer (began_at)`);
    await runner.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON registry.answer TO ${REGISTRY_ROLE}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE registry.answer`);
  }
}

/** API keys, and an index for outages that are open. `key_secret` is no projection: hashes never enter the log. */
export class KeepKeys1790000000002 implements MigrationInterface {
  readonly name = 'KeepKeys1790000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE registry.api_key (
        name       text COLLATE "C" PRIMARY KEY,
        spec       json        NOT NULL,
        key_id     text COLLATE "C" NOT NULL,
        revision   bigint      NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`);
    await runner.query(`CREATE INDEX api_key_by_id ON registry.api_key (key_id)`);
    await runner.query(`
      CREATE TABLE registry.key_secret (
        key_id  text COLLATE "C" PRIMARY KEY,
        hash    text        NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        -- To the minute.
        used_at timestamptz
      )`);
    await runner.query(`CREATE INDEX target_health_open ON registry.target_health (kind, name) WHERE state <> 'up'`);
    await runner.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON registry.api_key, registry.key_secret TO ${REGISTRY_ROLE}`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX registry.target_health_open`);
    await runner.query(`DROP TABLE registry.key_secret, registry.api_key`);
  }
}

/** What heartbeats' tokens are known by: hashes of 256 random bits, which stand in the log as well. */
export class KeepHeartbeats1790000000003 implements MigrationInterface {
  readonly name = 'KeepHeartbeats1790000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE registry.target ADD COLUMN heartbeat json`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE registry.target DROP COLUMN heartbeat`);
  }
}

/** Subscriptions that delivery has given up on, by its own events. */
export class ShowDisabled1790000000004 implements MigrationInterface {
  readonly name = 'ShowDisabled1790000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE registry.disablement (
        name     text COLLATE "C" PRIMARY KEY,
        -- Of the declaration that it holds for: void beside a later one.
        revision bigint      NOT NULL,
        since    timestamptz NOT NULL,
        reason   text        NOT NULL,
        answer   text
      )`);
    await runner.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON registry.disablement TO ${REGISTRY_ROLE}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE registry.disablement`);
  }
}

/** In the order in which they run. */
export const REGISTRY_MIGRATIONS = [
  CreateRegistry1790000000000,
  KeepAnswers1790000000001,
  KeepKeys1790000000002,
  KeepHeartbeats1790000000003,
  ShowDisabled1790000000004,
] as const;
