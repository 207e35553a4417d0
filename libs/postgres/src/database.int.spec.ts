import { isTocsinError } from '@tocsin/domain';
import { testDatabase, testFolder, type TestDatabase } from '@tocsin/testing';
import { startPostgres } from '@tocsin/embedded';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, type DatabaseOptions } from './database.js';
import { isConcurrencyFailure, isConnectionLoss, isUniqueViolation, sqlState } from './errors.js';
import type { MigrationInterface, QueryRunner } from './index.js';

class CreateThings1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE TABLE things.thing (id bigint PRIMARY KEY, note text CONSTRAINT short CHECK (length(note) < 9))',
    );
    await runner.query('GRANT USAGE ON SCHEMA things TO tocsin_spec');
    await runner.query('GRANT SELECT, INSERT, UPDATE ON things.thing TO tocsin_spec');
  }
  async down(): Promise<void> {}
}

class Broken1700000000001 implements MigrationInterface {
  async up(): Promise<void> {
    throw new Error('by itself');
  }
  async down(): Promise<void> {}
}

const DEFAULTS = {
  applicationName: 'spec',
  role: 'tocsin_spec',
  schema: 'things',
  migrations: [CreateThings1700000000000],
};
const opened: Database[] = [];

async function open(url: string, over: Partial<DatabaseOptions> = {}): Promise<Database> {
  const database = await Database.open({ ...DEFAULTS, url, ...over });
  opened.push(database);
  return database;
}
async function failure(promise: Promise<unknown>): Promise<{ code?: unknown; message: string }> {
  try {
    await promise;
    return { message: 'no error' };
  } catch (error) {
    return error as Error;
  }
}

let own: TestDatabase;
let database: Database;
beforeAll(async () => {
  own = await testDatabase();
  database = await open(own.url);
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
});

describe('Database.openReadOnly', () => {
  it('reads what is there, and is refused every write', async () => {
    const reading = await Database.openReadOnly({ url: own.url, applicationName: 'spec' });
    opened.push(reading);
    expect(await reading.query('SELECT count(*) AS things FROM things.thing')).toMatchObject([{}]);
    const refused = await failure(reading.query("INSERT INTO things.thing VALUES (99, 'x')"));
    expect(sqlState(refused)).toBe('25006');
  });
});

describe('Database.open', () => {
  it('migrates once, however many replicas and services start at once', async () => {
    const databases = await Promise.all([testDatabase(), testDatabase()]);
    const role = 'tocsin_spec_race';
    const migrations = [CreateThings1700000000000];
    const start = ({ url }: TestDatabase): Promise<Database> => open(url, { role, migrations, poolSize: 1 });
    const replicas = [...databases, ...databases, ...databases, ...databases];
    // The tables are granted to another role, which is there; the new role is made by all at once.
    await Promise.all(replicas.map(start));
    for (const each of databases) {
      expect(await each.query('SELECT name FROM things.migration')).toEqual([{ name: 'CreateThings1700000000000' }]);
    }
  });

  it('acts as the role, which may do what the migrations granted and no more', async () => {
    expect(await database.query('SELECT current_user')).toEqual([{ current_user: 'tocsin_spec' }]);
    expect(sqlState(await failure(database.query('DELETE FROM things.thing')))).toBe('42501');
  });

  it('names host, port and database of a server it cannot reach, and never the password', async () => {
    const error = await failure(open('postgres://someone:hushhush@127.0.0.1:1/nowhere'));
    expect(error.code).toBe('TCN_POSTGRES_UNREACHABLE');
    expect(error.message).toContain('127.0.0.1:1/nowhere');
    expect(JSON.stringify([error.message, (error as Error).stack])).not.toContain('hushhush');
    const refused = await failure(open(own.url.replace(/:[^:@]*@/, ':hushhush@')));
    expect(refused.code).toBe('TCN_POSTGRES_UNREACHABLE');
    expect(refused.message).not.toContain('hushhush');
  });

  it('refuses a URL that is none, without repeating it', async () => {
    const error = await failure(open('mysql://u:hushhush@h/d'));
    expect(error.code).toBe('TCN_CONFIG');
    expect(error.message).not.toContain('hushhush');
  });

  it('names the privilege a plain user lacks, and takes a user for whom it was all prepared', async () => {
    const fresh = await testDatabase();
    await fresh.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'`);
    const url = new URL(fresh.url);
    [url.username, url.password] = ['plain', 'plain'];
    const options = { role: 'tocsin_spec_plain', schema: 'plain', migrations: [] };
    const noRole = await failure(open(url.href, options));
    expect([noRole.code, noRole.message]).toEqual(['TCN_POSTGRES_UNSUITABLE', expect.stringContaining('CREATEROLE')]);
    await fresh.query('CREATE ROLE tocsin_spec_plain NOLOGIN');
    const noMember = await failure(open(url.href, options));
    expect([noMember.code, noMember.message]).toEqual([
      'TCN_POSTGRES_UNSUITABLE',
      expect.stringContaining('GRANT tocsin_spec_plain TO "plain"'),
    ]);
    await fresh.query('GRANT tocsin_spec_plain TO plain');
    const noSchema = await failure(open(url.href, options));
    expect([noSchema.code, noSchema.message]).toEqual([
      'TCN_POSTGRES_UNSUITABLE',
      expect.stringContaining(`CREATE on database "${fresh.name}"`),
    ]);
    await fresh.query('CREATE SCHEMA plain AUTHORIZATION plain');
    const ready = await open(url.href, options);
    expect(await ready.query('SELECT current_user')).toEqual([{ current_user: 'tocsin_spec_plain' }]);
  });

  it('makes and joins the role for a user that may create roles and is no superuser', async () => {
    const fresh = await testDatabase();
    await fresh.query(`CREATE ROLE builder LOGIN CREATEROLE PASSWORD 'builder'`);
    await fresh.query(`GRANT CREATE ON DATABASE ${fresh.name} TO builder`);
    const url = new URL(fresh.url);
    [url.username, url.password] = ['builder', 'builder'];
    const ready = await open(url.href, { role: 'tocsin_spec_built', schema: 'built', migrations: [] });
    expect(await ready.query('SELECT current_user')).toEqual([{ current_user: 'tocsin_spec_built' }]);
  });

  it('says which schema’s migration failed, and keeps those before it', async () => {
    const fresh = await testDatabase();
    const error = await failure(open(fresh.url, { migrations: [CreateThings1700000000000, Broken1700000000001] }));
    expect([error.code, error.message]).toEqual(['TCN_INTERNAL', expect.stringContaining('"things"')]);
    expect(await fresh.query('SELECT name FROM things.migration')).toHaveLength(1);
  });
});

describe('query', () => {
  it('gives numbers, RFC 3339 times in UTC, JSON, and the rows of every kind of statement', async () => {
    expect(
      await database.query(
        `SELECT 9007199254740991::bigint AS n, ARRAY[1, NULL, 3]::bigint[] AS list, '2026-03-29 01:30:00.987654+02'::timestamptz AS at,
                '{"a":[1]}'::jsonb AS json, 1.10::numeric AS exact, '\\x01'::bytea AS bytes, NULL::bigint AS none`,
      ),
    ).toEqual([
      {
        ...{ n: 9007199254740991, list: [1, null, 3], at: '2026-03-28T23:30:00.987Z', json: { a: [1] }, exact: '1.10' },
        ...{ bytes: Buffer.from([1]), none: null },
      },
    ]);
    expect(await database.query('INSERT INTO things.thing VALUES ($1, $2) RETURNING *', [1, 'a'])).toEqual([
      { id: 1, note: 'a' },
    ]);
    expect(await database.query('UPDATE things.thing SET note = $1 RETURNING note', ['b'])).toEqual([{ note: 'b' }]);
    expect(await database.query('UPDATE things.thing SET note = $1', ['c'])).toEqual([]);
  });

  it('takes times as it gives them, whatever the server’s time zone', async () => {
    await own.query(`ALTER DATABASE ${own.name} SET TimeZone = 'Asia/Kathmandu'`);
    const elsewhere = await open(own.url);
    expect(await elsewhere.query('SELECT $1::timestamptz AS at', ['2026-01-01T00:00:00.123Z'])).toEqual([
      { at: '2026-01-01T00:00:00.123Z' },
    ]);
  });

  it('refuses to round a number', async () => {
    await expect(database.query('SELECT 9007199254740993::bigint')).rejects.toThrow(RangeError);
  });

  it('passes the server’s own error on, with its SQLSTATE', async () => {
    await database.query('INSERT INTO things.thing VALUES (10)');
    const twice = await failure(database.query('INSERT INTO things.thing VALUES (10)'));
    expect([
      isUniqueViolation(twice),
      isUniqueViolation(twice, 'thing_pkey'),
      isUniqueViolation(twice, 'other'),
    ]).toEqual([true, true, false]);
    expect([isConnectionLoss(twice), isTocsinError(twice), sqlState(twice)]).toEqual([false, false, '23505']);
  });

  it('ends a statement that takes too long', async () => {
    const hasty = await open(own.url, { statementTimeoutMs: 100 });
    expect(sqlState(await failure(hasty.query('SELECT pg_sleep(5)')))).toBe('57014');
    expect(await hasty.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('transaction', () => {
  it('commits what it did when it resolves', async () => {
    expect(await database.transaction((tx) => tx.query('INSERT INTO things.thing VALUES (20) RETURNING id'))).toEqual([
      { id: 20 },
    ]);
    expect(await own.query('SELECT id FROM things.thing WHERE id = 20')).toHaveLength(1);
  });

  it('rolls back and passes on whatever it throws', async () => {
    const mine = new Error('mine');
    const work = database.transaction(async (tx) => {
      await tx.query('INSERT INTO things.thing VALUES (21)');
      throw mine;
    });
    await expect(work).rejects.toBe(mine);
    expect(await own.query('SELECT id FROM things.thing WHERE id = 21')).toEqual([]);
  });

  it('tells a lost race from other failures', async () => {
    await database.query('INSERT INTO things.thing VALUES (30), (31)');
    const meet = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const cross = (first: number, second: number, me: number): Promise<unknown> =>
      database.transaction(async (tx) => {
        await tx.query('UPDATE things.thing SET note = $1 WHERE id = $2', ['x', first]);
        meet[me]?.resolve();
        await meet[1 - me]?.promise;
        await tx.query('UPDATE things.thing SET note = $1 WHERE id = $2', ['x', second]);
      });
    const results = await Promise.all([failure(cross(30, 31, 0)), failure(cross(31, 30, 1))]);
    expect(results.filter(isConcurrencyFailure)).toHaveLength(1);
    expect(results.filter(({ message }) => message === 'no error')).toHaveLength(1);
  });
});

describe('a lost connection', () => {
  it('is TCN_UNAVAILABLE in a statement and in a transaction, and the pool goes on', async () => {
    const kill = `SELECT pg_terminate_backend($1)`;
    const lost = await failure(
      database.transaction(async (tx) => {
        const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await own.query(kill, [row?.pid]);
        await tx.query('SELECT 1');
      }),
    );
    expect([lost.code, isConnectionLoss(lost)]).toEqual(['TCN_UNAVAILABLE', true]);
    const sleeping = failure(database.query('SELECT pg_sleep(20) AS napping'));
    await expect
      .poll(() =>
        own.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%AS napping' AND pid <> pg_backend_pid()`,
        ),
      )
      .toHaveLength(1);
    expect((await sleeping).code).toBe('TCN_UNAVAILABLE');
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is survived when the whole server is killed and comes back', async () => {
    const dataDir = join(await testFolder(), 'restarted');
    const server = await startPostgres({ dataDir, durability: 'fast' });
    const idleErrors: Error[] = [];
    const pool = await open(server.url, { onIdleError: (error) => idleErrors.push(error) });
    await Promise.all(Array.from({ length: 5 }, () => pool.query('SELECT pg_sleep(0.05)')));
    server.kill9();
    await server.exited;
    expect((await failure(pool.query('SELECT 1'))).code).toBe('TCN_UNAVAILABLE');
    expect(idleErrors.length).toBeGreaterThan(0);
    const again = await startPostgres({ dataDir, durability: 'fast', port: server.port });
    expect(await pool.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await pool.close();
    await again.stop();
  });
});

describe('close', () => {
  it('lets what runs finish, and takes nothing more', async () => {
    const closing = await open(own.url);
    const running = closing.query('SELECT pg_sleep(0.3), 1 AS one');
    const twice = [closing.close(), closing.close()];
    expect((await failure(closing.query('SELECT 1'))).code).toBe('TCN_UNAVAILABLE');
    expect(await running).toMatchObject([{ one: 1 }]);
    await Promise.all(twice);
  });
});
