import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';

/**
 * What was withheld, and what made up for it, is rare: each finds its own in an index that holds nothing else. Changes of state among
 * all events are counted in the index on types.
 */
export class IndexWithheld1767398400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX event_withheld ON log.event (position) WHERE extensions ->> 'withheld' IS NOT NULL;
      CREATE INDEX event_reconciles ON log.event (position) WHERE extensions ->> 'reconciles' IS NOT NULL;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX log.event_withheld, log.event_reconciles');
  }
}
