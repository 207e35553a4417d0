import { Database } from '@tocsin/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_DATABASE } from './log-database.js';
import { newEvent, openLog, findings, type TestLog } from './log.harness.js';
import { verifyLog, type VerifyProgress } from './verify.js';

async function fill(test: TestLog): Promise<void> {
  for (let n = 0; n < 10; n += 1) {
    const data = { at: n, text: 'zwölf', list: [1, null, { x: 1.5 }] };
    await test.appender.append({
      events: [newEvent({ data }), newEvent({ data: null }), newEvent({ data: undefined })],
    });
  }
}

describe('verify', () => {
  let test: TestLog;
  let owner: Database;
  beforeAll(async () => {
    test = await openLog();
    await fill(test);
    const { role: _role, ...asOwner } = LOG_DATABASE;
    owner = await Database.open({ ...asOwner, url: test.admin.url, applicationName: 'owner' });
  });
  afterAll(async () => {
    await owner.close();
    await test.close();
  });

  /**
   * What is found after changing the log as nobody should be able to: as a superuser, with every trigger switched off. All in a
   * transaction that is rolled back.
   */
  async function foundAfter(...statements: string[]): Promise<unknown[]> {
    const found: unknown[] = [];
    const undo = new Error('undo');
    const tampering = owner.transaction(async (tx) => {
      const tables = await tx.query<{ name: string }>(
        `SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
          WHERE c.relnamespace = 'log'::regnamespace`,
      );
      for (const sql of [...tables.map(({ name }) => `ALTER TABLE ${name} DISABLE TRIGGER USER`), ...statements]) {
        await tx.query(sql);
      }
      for await (const step of verifyLog(tx)) {
        found.push(...step.findings.map(({ kind, position }) => (position === undefined ? [kind] : [kind, position])));
      }
      throw undo;
    });
    await expect(tampering).rejects.toBe(undo);
    return found;
  }

  it('finds nothing in a log that nobody touched, and says how far it is', async () => {
    let last: VerifyProgress | undefined;
    for await (const step of test.log.verify()) {
      expect(step.findings).toEqual([]);
      last = step;
    }
    expect(last).toMatchObject({ first: 1, position: 30, head: 30 });
  });

  it.each([
    [`id = id || 'x'`],
    [`source = 'tocsin/tess'`],
    [`subject = subject || '1'`],
    [`type = 'io.tocsin.node.offlinf'`],
    [`version = version + 1`],
    [`time = time + interval '1 millisecond'`],
    [`recorded_at = recorded_at + interval '1 millisecond'`],
    [`data = replace(data::text, 'zw', 'zv')::json`],
    [`data = 'null'`],
    [`data = NULL`],
    [`extensions = '{"x":1}'`],
    [`datacontenttype = 'text/plain'`],
    [`dataschema = ''`],
    [`leaf_hash = set_byte(leaf_hash, 31, get_byte(leaf_hash, 31) # 1)`],
  ])('finds the event that was changed by %s', async (change) => {
    const found = await foundAfter(`UPDATE log.event SET ${change} WHERE position = 13`);
    expect(found).toContainEqual(['hash', 13]);
  });

  it('finds JSON that was respelled, though it means the same', async () => {
    const found = await foundAfter(`UPDATE log.event SET data = (data::text || ' ')::json WHERE position = 13`);
    expect(found).toEqual([['text', 13]]);
  });

  it('finds a deleted event, in the middle and at the end', async () => {
    const found = await foundAfter('DELETE FROM log.event WHERE position IN (13, 30)');
    expect(found).toEqual(expect.arrayContaining([['gap', 13], ['gap', 30]])); // prettier-ignore
  });

  it('finds two events that changed places', async () => {
    const found = await foundAfter(
      'UPDATE log.event SET position = 999 WHERE position = 13',
      'UPDATE log.event SET position = 13 WHERE position = 17',
      'UPDATE log.event SET position = 17 WHERE position = 999',
    );
    expect(found).toEqual(expect.arrayContaining([['hash', 13], ['hash', 17], ['key', 13], ['key', 17]])); // prettier-ignore
  });

  it('finds two events whose content was exchanged', async () => {
    const found = await foundAfter(
      `UPDATE log.event e SET data = o.data, leaf_hash = o.leaf_hash FROM log.event o
        WHERE (e.position, o.position) IN ((13, 16), (16, 13))`,
    );
    expect(found).toEqual(expect.arrayContaining([['hash', 13], ['hash', 16]])); // prettier-ignore
  });

  it('finds a version that is missing or double, though all hashes are right', async () => {
    const found = await foundAfter(
      `UPDATE log.event SET version = 2, leaf_hash = sha256('\\x00' || (SELECT content_hash FROM log.event_key WHERE position = 1)
         || int8send(1) || int8send(2) || int8send((extract(epoch FROM recorded_at) * 1000)::bigint)) WHERE position = 1`,
    );
    expect(found).toContainEqual(['version', 1]);
    expect(found).not.toContainEqual(['hash', 1]);
  });

  it.each([
    [`DELETE FROM log.event_key WHERE position = 13`, ['key', 13]],
    [`UPDATE log.event_key SET position = 14 WHERE position = 13`, ['key', 13]],
    [`UPDATE log.event_key SET content_hash = sha256('') WHERE position = 13`, ['key', 13]],
    [
      `INSERT INTO log.event_key SELECT position, version, recorded_at, 'forged', source, content_hash FROM log.event_key WHERE position = 1`,
      ['key'],
    ],
    [`DELETE FROM log.subject_head WHERE position = 30`, ['subject-head', 30]],
    [`UPDATE log.subject_head SET version = version + 1 WHERE position = 30`, ['subject-head', 30]],
    [`INSERT INTO log.subject_head VALUES ('node/forged', 1, 3)`, ['subject-head', 3]],
    [`UPDATE log.head SET position = 29`, ['head', 30]],
    [`UPDATE log.head SET position = 31`, ['gap', 31]],
    [`UPDATE log.event SET recorded_at = recorded_at - interval '1 day' WHERE position = 13`, ['time', 13]],
  ])('finds what %s did', async (sql, finding) => {
    const found = await foundAfter(sql);
    expect(found).toContainEqual(finding);
  });

  it('finds bytes that are not even JSON any more', async () => {
    const found = await foundAfter(
      `ALTER TABLE log.event ALTER COLUMN data TYPE text USING data::text`,
      `UPDATE log.event SET data = left(data, -1) WHERE position = 13`,
    );
    expect(found).toContainEqual(['hash', 13]);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(test.log.verify({ signal: stop.signal }).next()).rejects.toThrow('enough');
  });
});

describe('verify of a log that grows', () => {
  let test: TestLog;
  beforeAll(async () => {
    test = await openLog();
  });
  afterAll(() => test.close());

  it('finds nothing while appends go on', async () => {
    await fill(test);
    let proving = true;
    const writing = (async () => {
      while (proving) await fill(test);
    })();
    for (let round = 0; round < 5; round += 1) expect(await findings(test.log)).toEqual([]);
    proving = false;
    await writing;
    expect(await test.log.head()).toBeGreaterThan(30);
  });
});
