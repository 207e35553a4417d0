import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findings, newEvent, openLog, type TestLog } from './log.harness.js';

let test: TestLog;
beforeEach(async () => {
  test = await openLog();
});
afterEach(() => test.close());

async function fill(count: number): Promise<void> {
  await test.appender.append({ events: Array.from({ length: count }, () => newEvent()) });
}

/** Replaces the first partition by small ones, as if a partition held so few. */
async function usePartitionsOf(...sizes: number[]): Promise<void> {
  await test.admin.query(`DO $$
    BEGIN
      EXECUTE (SELECT string_agg(format('DROP TABLE log.%I', name), ';') FROM log.partition);
      DELETE FROM log.partition;
    END $$`);
  for (const size of sizes) await test.admin.query('SELECT log.add_partition($1)', [size]);
}

describe('partitions', () => {
  it('hold the next million positions at least', async () => {
    expect(
      await test.admin.query(
        'SELECT max(to_position) - (SELECT position FROM log.head) >= 1000000 AS ahead FROM log.partition',
      ),
    ).toEqual([{ ahead: true }]);
  });

  it('are made while appends cross from one to the next', async () => {
    await test.admin.query(`UPDATE log.head SET position = 999900`);
    const later = test.rival();
    await later.becomeLeader();
    const positions: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const answers = await later.append({ events: Array.from({ length: 50 }, () => newEvent()) });
      positions.push(...answers.map(({ position }) => position));
    }
    expect(positions).toEqual(Array.from({ length: 250 }, (_, index) => 999901 + index));
    const page = await test.log.read({ after: 999998, limit: 3 });
    expect(page.events.map(({ position }) => position)).toEqual([999999, 1000000, 1000001]);
    const spread = await test.admin.query(
      `SELECT tableoid::regclass::text AS name, count(*)::int FROM log.event GROUP BY 1 ORDER BY 1`,
    );
    expect(spread).toEqual([
      { name: 'log.event_000000000000001', count: 100 },
      { name: 'log.event_000000001000001', count: 150 },
    ]);
  });

  it('are read as one, in either direction and by every filter', async () => {
    await usePartitionsOf(7, 7, 1_000_000);
    await fill(20);
    const all = (await test.log.read({ limit: 100 })).events;
    expect(all.map(({ position }) => position)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect((await test.log.read({ limit: 100, direction: 'backward' })).events).toEqual(all.toReversed());
    expect((await test.log.read({ limit: 100, types: ['io.*'] })).events).toEqual(all);
    const [event] = all;
    expect((await test.log.read({ limit: 100, subject: event?.subject ?? '' })).events).toEqual(
      all.filter(({ subject }) => subject === event?.subject),
    );
    expect(await findings(test.log)).toEqual([]);
  });

  it('are given up from the oldest, and what was in them is still not recorded twice', async () => {
    await usePartitionsOf(7, 7, 1_000_000);
    const first = newEvent({ subject: 'node/old' });
    const [place] = await test.appender.append({ events: [first] });
    await fill(19);
    expect(await test.admin.query('SELECT * FROM log.detach_partitions(13)')).toEqual([
      { detach_partitions: 'event_000000000000001' },
    ]);
    expect((await test.log.read({ limit: 100 })).events.map(({ position }) => position)).toEqual(
      Array.from({ length: 13 }, (_, index) => index + 8),
    );
    expect(await test.log.get(1)).toBeUndefined();
    expect(await test.log.latest({ subjects: ['node/old'] })).toEqual({ events: [], versions: { 'node/old': 1 } });
    expect(await test.appender.append({ events: [first] })).toEqual([{ ...place, repeated: true }]);
    expect(await test.appender.append({ events: [newEvent({ subject: 'node/old' })] })).toMatchObject([
      { position: 21, version: 2 },
    ]);
    expect((await test.log.read({ limit: 100, since: '2000-01-01T00:00:00Z' })).events).toHaveLength(14);
    expect(await findings(test.log)).toEqual([]);
    const detached = test.admin.query('DELETE FROM log.event_000000000000001');
    await expect(detached).rejects.toThrow('append-only');
  });

  it('never give up the one the head is in', async () => {
    await usePartitionsOf(7, 1_000_000);
    await fill(6);
    expect(await test.admin.query('SELECT * FROM log.detach_partitions(1000000)')).toEqual([]);
    await fill(2);
    expect(await test.admin.query('SELECT * FROM log.detach_partitions(1000000)')).toHaveLength(1);
  });
});
