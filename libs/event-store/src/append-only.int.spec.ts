import { Database, sqlState } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_DATABASE } from './log-database.js';
import { newEvent, openLog, type TestLog } from './log.harness.js';

const DENIED = '42501'; // insufficient_privilege
const REFUSED = '55000'; // object_not_in_prerequisite_state, raised by the triggers

let test: TestLog;
let owner: Database;
/** The partition the events are in, one that is free, and one that was made later by the service's own call. */
let partitions: string[];

beforeAll(async () => {
  test = await openLog();
  await test.appender.append({ events: [newEvent(), newEvent()] });
  await test.admin.query(`UPDATE log.head SET position = 1500000`);
  await test.database.query('SELECT log.ensure_partitions()');
  partitions = (await test.admin.query<{ name: string }>('SELECT name FROM log.partition ORDER BY from_position')).map(
    ({ name }) => name,
  );
  const { role: _role, ...asOwner } = LOG_DATABASE;
  owner = await Database.open({ ...asOwner, url: test.admin.url, applicationName: 'owner' });
});
afterAll(async () => {
  await owner.close();
  await test.close();
});

const state = (database: Database, sql: string): Promise<unknown> =>
  database.query(sql).then(
    () => 'done',
    (error: unknown) => sqlState(error) ?? error,
  );

const onEvents = (table: string): string[] => [
  `UPDATE ${table} SET subject = 'x' WHERE position = 1`,
  `UPDATE ${table} SET data = NULL WHERE false`,
  `DELETE FROM ${table} WHERE position = 1`,
  `TRUNCATE ${table}`,
  `INSERT INTO ${table} SELECT * FROM log.event WHERE position = 1 ON CONFLICT (position) DO UPDATE SET subject = 'x'`,
  `MERGE INTO ${table} t USING (SELECT 1::bigint AS p) s ON t.position = s.p WHEN MATCHED THEN DELETE`,
];
const onOthers = [
  `UPDATE log.event_key SET position = 7`,
  `DELETE FROM log.event_key`,
  `TRUNCATE log.event_key`,
  `DELETE FROM log.subject_head`,
  `TRUNCATE log.subject_head`,
  `DELETE FROM log.head`,
  `TRUNCATE log.head`,
  `DELETE FROM log.known_type`,
];

describe('the recorder’s role', () => {
  it('is not the owner, and no superuser', async () => {
    expect(
      await test.database.query(
        'SELECT current_user, session_user, rolsuper FROM pg_roles WHERE rolname = current_user',
      ),
    ).toEqual([{ current_user: 'tocsin_recorder', session_user: 'tocsin', rolsuper: false }]);
  });

  it('may not change or remove anything, in the parent or in any partition', async () => {
    const statements = [...['log.event', ...partitions.map((name) => `log.${name}`)].flatMap(onEvents), ...onOthers];
    for (const sql of statements) expect([sql, await state(test.database, sql)]).toEqual([sql, DENIED]);
  });

  it('may not switch the triggers off, detach or drop partitions, or make tables', async () => {
    for (const sql of [
      'ALTER TABLE log.event DISABLE TRIGGER ALL',
      'SET session_replication_role = replica',
      `ALTER TABLE log.event DETACH PARTITION log.${partitions[0]}`,
      `DROP TABLE log.${partitions[0]}`,
      'CREATE TABLE log.mine (id int)',
      `SELECT log.detach_partitions(1000000)`,
      `SELECT log.add_partition(10)`,
      `SELECT log.protect('log.event')`,
      `UPDATE log.partition SET detached_at = now()`,
      `UPDATE log.subject_head SET subject = 'x'`,
    ]) {
      expect([sql, await state(test.database, sql)]).toEqual([sql, DENIED]);
    }
  });

  it('moves the head only forward', async () => {
    for (const sql of ['UPDATE log.head SET position = 1', 'UPDATE log.head SET epoch = 0']) {
      expect([sql, await state(test.database, sql)]).toEqual([sql, REFUSED]);
    }
  });
});

describe('the owner, a superuser', () => {
  it('is refused too, in the parent and in every partition, also those made later', async () => {
    expect(partitions).toHaveLength(3);
    const statements = [...['log.event', ...partitions.map((name) => `log.${name}`)].flatMap(onEvents), ...onOthers];
    for (const sql of statements) expect([sql, await state(owner, sql)]).toEqual([sql, REFUSED]);
  });

  it('is refused even where ordinary triggers are off', async () => {
    for (const sql of [
      'DELETE FROM log.event',
      `TRUNCATE log.${partitions[2]}`,
      'TRUNCATE log.event_key',
      'UPDATE log.head SET epoch = 0',
    ]) {
      const replica = owner.transaction(async (tx) => {
        await tx.query('SET LOCAL session_replication_role = replica');
        await tx.query(sql);
      });
      expect([sql, await replica.catch(sqlState)]).toEqual([sql, REFUSED]);
    }
  });

  it('has lost nothing by all that', async () => {
    expect((await test.log.read({ limit: 10 })).events.map(({ position }) => position)).toEqual([1, 2]);
  });
});
