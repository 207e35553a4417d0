import type { MigrationInterface } from 'typeorm';

export type Found = MigrationInterface;
