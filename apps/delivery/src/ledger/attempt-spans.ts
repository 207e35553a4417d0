import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';

/** An attempt's span, beside its trace: the next attempt is linked to it. */
export class AttemptSpans1700000000002 implements MigrationInterface {
  readonly name = 'AttemptSpans1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE delivery.attempt ADD COLUMN span_id text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE delivery.attempt DROP COLUMN span_id');
  }
}
