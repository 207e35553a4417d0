import { sqlState } from '@tocsin/postgres';

/** Classes of SQLSTATE that blame the data: one append of the batch is at fault, not the database. */
const DATA_FAULT_CLASSES = ['22', '23', '54'];

/** Did Postgres refuse what it was given, where it would have taken something else? */
export function blamesData(error: unknown): boolean {
  return DATA_FAULT_CLASSES.includes(sqlState(error)?.slice(0, 2) ?? '');
}
