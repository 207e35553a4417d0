import type { MigrationInterface, QueryRunner } from '@tocsin/postgres';
import { APPEND } from './append.js';
import { APPEND_ONLY } from './append-only.js';
import { GRANTS } from './grants.js';
import { PARTITIONS } from './partitions.js';
import { TABLES } from './tables.js';
import { WALKS } from './walks.js';

/** The first shape of the log. */
export class CreateLog1767225600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const sql of [TABLES, APPEND_ONLY, PARTITIONS, APPEND, WALKS, GRANTS]) await runner.query(sql);
  }

  /** The record is not taken back by a migration. */
  async down(): Promise<void> {
    await Promise.reject(new Error('the log cannot be migrated away'));
  }
}
