import type { DatabaseOptions } from '@tocsin/postgres';
import { AppendFresh1767484800000 } from './schema/append-fresh.js';
import { CreateLog1767225600000 } from './schema/create-log.js';
import { IndexWithheld1767398400000 } from './schema/index-withheld.js';

/** Role the recorder's connections act as. It may add to the log and read it, and nothing else. */
export const RECORDER_ROLE = 'tocsin_recorder';

/** Channel of the one NOTIFY a batch sends; the payload is the head position it reached. */
export const LOG_CHANNEL = 'tocsin_log';

/** How the log's database is opened: what `Database.open` needs besides a URL and a name. */
export const LOG_DATABASE = {
  schema: 'log',
  role: RECORDER_ROLE,
  migrations: [CreateLog1767225600000, IndexWithheld1767398400000, AppendFresh1767484800000],
} as const satisfies Partial<DatabaseOptions>;
