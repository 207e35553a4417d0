import { createLogger } from '@tocsin/platform';
import { Database } from '@tocsin/postgres';
import { testDatabase, type TestDatabase } from '@tocsin/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ShardLeases } from '../shards/shard-leases.js';
import type { AttemptRecord, PendingRecord } from './records.js';
import { LedgerWriter } from './ledger-writer.js';
import { DELIVERY_MIGRATIONS, DELIVERY_ROLE, SHARDS } from './schema.js';
import { ShardLedger } from './shard-ledger.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const NOW = Date.UTC(2030, 0, 1);

function attempt(position: number, delivered: boolean, number = 1): AttemptRecord {
  return {
    subscription: 's',
    position,
    webhookId: `evt_${position}`,
    eventType: 'com.acme.x',
    eventSubject: 'node/a',
    number,
    startedAt: NOW + position,
    delivered,
    outcome: delivered ? 'delivered' : 'retry',
    status: delivered ? 204 : 503,
    errorClass: undefined,
    detail: undefined,
    address: '127.0.0.1:80',
    urlHash: 'ab',
    phasesMs: { total: 3.5 },
    responseBytes: 0,
    bodyHead: 'a\u0000b\ud800',
    nextAt: undefined,
    worker: 'w',
    traceId: undefined,
    spanId: undefined,
  };
}

function pending(position: number, attempts = 0): PendingRecord {
  return { subscription: 's', position, subject: 'node/a', attempts, nextAt: NOW + 2_000, since: NOW, replay: null };
}

describe('ShardLedger', () => {
  let own: TestDatabase;
  let database: Database;
  let leases: ShardLeases;
  let writer: LedgerWriter;

  beforeAll(async () => {
    own = await testDatabase();
    database = await Database.open({
      url: own.url,
      applicationName: 'test',
      role: DELIVERY_ROLE,
      schema: 'delivery',
      migrations: DELIVERY_MIGRATIONS,
    });
  });

  afterAll(async () => {
    await database.close();
  });

  beforeEach(async () => {
    await own.query('TRUNCATE delivery.pending, delivery.dead, delivery.parked, delivery.replica');
    await own.query('TRUNCATE delivery.attempt');
    await own.query(`UPDATE delivery.shard SET epoch = 0, owner = NULL, lease_until = '-infinity', checkpoint = 0`);
    leases = new ShardLeases(database, 'one', SHARDS);
    writer = new LedgerWriter(database, logger);
  });

  async function ledger(checkpoint: { now: number }, onFenced = () => undefined): Promise<ShardLedger> {
    const [lease] = await leases.take(1);
    if (lease === undefined) throw new Error('no shard is free');
    return new ShardLedger(database, writer, lease.shard, lease.epoch, {
      checkpointNow: () => checkpoint.now,
      onFenced,
    });
  }

  it('gives the next owner the checkpoint, what is unfinished, and what is settled behind the checkpoint', async () => {
    const checkpoint = { now: 0 };
    const first = await ledger(checkpoint);
    checkpoint.now = 2;
    await Promise.all([
      first.write((batch) => batch.attempt(attempt(1, true))),
      first.write((batch) => batch.attempt(attempt(3, true))),
      first.write((batch) => batch.attempt(attempt(2, false))),
      first.write((batch) => batch.pending('s', 2, pending(2, 1))),
      first.write((batch) =>
        batch.dead({
          subscription: 's',
          position: 4,
          subject: 'node/a',
          attempts: 22,
          reason: 'schedule-exhausted',
          at: NOW,
        }),
      ),
      first.write((batch) => batch.parked('t', { subscription: 't', position: 9, reason: 'backlog', since: NOW })),
    ]);
    await first.close(1_000);
    const state = await first.load();
    expect(state).toEqual({
      checkpoint: 2,
      pending: [{ ...pending(2, 1) }],
      parked: [{ subscription: 't', position: 9, reason: 'backlog', since: NOW }],
      endpoints: [],
      announcements: [],
      replays: [],
      superseded: [],
      settled: new Set(['s|3', 's|4']),
    });
    const [row] = await own.query<{ body_head: string }>('SELECT body_head FROM delivery.attempt WHERE position = 1');
    expect(row?.body_head).toBe('a\ufffdb\ufffd');
  });

  it('takes the row away with the attempt that settles it', async () => {
    const checkpoint = { now: 5 };
    const one = await ledger(checkpoint);
    await one.write((batch) => batch.pending('s', 5, pending(5)));
    await Promise.all([
      one.write((batch) => batch.attempt(attempt(5, true))),
      one.write((batch) => batch.pending('s', 5, null)),
    ]);
    expect(await own.query('SELECT * FROM delivery.pending')).toEqual([]);
    await one.close(1_000);
  });

  it('writes nothing, and says so, once another owner has a later epoch', async () => {
    let fenced = 0;
    const stale = await ledger({ now: 7 }, () => void (fenced += 1));
    await own.query(`UPDATE delivery.shard SET lease_until = '-infinity'`);
    await new ShardLeases(database, 'two', SHARDS).take(SHARDS);
    await expect(stale.write((batch) => batch.attempt(attempt(7, true)))).rejects.toMatchObject({ code: 'TCN_FENCED' });
    expect(fenced).toBe(1);
    expect(await own.query('SELECT * FROM delivery.attempt')).toEqual([]);
    expect(await own.query('SELECT max(checkpoint)::int AS checkpoint FROM delivery.shard')).toEqual([
      { checkpoint: 0 },
    ]);
    await expect(stale.write((batch) => batch.attempt(attempt(8, true)))).rejects.toMatchObject({ code: 'TCN_FENCED' });
  });

  it('never moves the checkpoint back', async () => {
    const checkpoint = { now: 9 };
    const one = await ledger(checkpoint);
    await one.write((batch) => batch.attempt(attempt(9, true)));
    checkpoint.now = 3;
    await one.write((batch) => batch.attempt(attempt(3, true)));
    expect((await one.load()).checkpoint).toBe(9);
    await one.close(1_000);
  });

  it('keeps attempts as they were written, also against the owner of the table', async () => {
    const one = await ledger({ now: 1 });
    await one.write((batch) => batch.attempt(attempt(1, true)));
    await one.close(1_000);
    await expect(database.query('UPDATE delivery.attempt SET delivered = false')).rejects.toThrow(/permission denied/);
    await expect(own.query('UPDATE delivery.attempt SET delivered = false')).rejects.toThrow(/append-only/);
    await expect(own.query('DELETE FROM delivery.attempt')).rejects.toThrow(/append-only/);
  });

  it('writes everything else when a receiver’s text is refused for ever', async () => {
    await own.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON delivery.attempt FOR EACH ROW WHEN (NEW.body_head LIKE 'poison%') EXECUTE FUNCTION refuse();
      CREATE TRIGGER refuse_worker BEFORE INSERT ON delivery.attempt FOR EACH ROW WHEN (NEW.worker = 'poison') EXECUTE FUNCTION refuse();`);
    try {
      const one = await ledger({ now: 3 });
      await Promise.all([
        one.write((batch) => batch.attempt({ ...attempt(1, true), bodyHead: 'poison' })),
        one.write((batch) => batch.attempt(attempt(2, true))),
      ]);
      const rows = 'SELECT position::int, body_head FROM delivery.attempt ORDER BY position';
      expect(await own.query(rows)).toEqual([
        { position: 1, body_head: null },
        { position: 2, body_head: null },
      ]);
      await one.write((batch) => {
        batch.attempt({ ...attempt(3, true), worker: 'poison' });
        batch.pending('s', 9, pending(9));
      });
      expect(await own.query('SELECT position::int FROM delivery.pending')).toEqual([{ position: 9 }]);
      await one.close(1_000);
    } finally {
      await own.query('DROP FUNCTION refuse CASCADE');
    }
  });

  it('writes what several shards have in one statement, and nothing of one that was lost', async () => {
    const [one, lost, other] = [await ledger({ now: 4 }), await ledger({ now: 4 }), await ledger({ now: 4 })];
    await own.query('UPDATE delivery.shard SET epoch = epoch + 1 WHERE id = 1');
    const query = vi.spyOn(database, 'query');
    try {
      const written = await Promise.allSettled([
        one.write((batch) => batch.attempt(attempt(1, true))),
        lost.write((batch) => batch.attempt(attempt(2, true))),
        other.write((batch) => batch.parked('t', { subscription: 't', position: 3, reason: 'backlog', since: NOW })),
      ]);
      expect(written.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(query).toHaveBeenCalledTimes(1);
    } finally {
      query.mockRestore();
    }
    expect(await own.query('SELECT position::int, shard FROM delivery.attempt')).toEqual([{ position: 1, shard: 0 }]);
    expect(await own.query('SELECT subscription, shard FROM delivery.parked')).toEqual([
      { subscription: 't', shard: 2 },
    ]);
    expect(await own.query('SELECT id FROM delivery.shard WHERE checkpoint = 4 ORDER BY id')).toEqual([
      { id: 0 },
      { id: 2 },
    ]);
    await Promise.all([one, other].map((ledgerOf) => ledgerOf.close(1_000)));
  });

  it('takes away the rows of several shards, each its own', async () => {
    const [one, lost] = [await ledger({ now: 4 }), await ledger({ now: 4 })];
    await Promise.all([
      one.write((batch) => batch.pending('s', 1, pending(1))),
      lost.write((batch) => batch.pending('s', 2, pending(2))),
    ]);
    await own.query('UPDATE delivery.shard SET epoch = epoch + 1 WHERE id = 1');
    await Promise.allSettled([
      one.write((batch) => batch.pending('s', 1, null)),
      lost.write((batch) => batch.pending('s', 2, null)),
    ]);
    expect(await own.query('SELECT position::int FROM delivery.pending')).toEqual([{ position: 2 }]);
    await one.close(1_000);
  });

  it('lets no shard wait for what is refused of another', async () => {
    await own.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON delivery.pending FOR EACH ROW WHEN (NEW.position = 666) EXECUTE FUNCTION refuse();`);
    try {
      const [sick, well] = [await ledger({ now: 1 }), await ledger({ now: 1 })];
      const refused = sick.write((batch) => batch.pending('s', 666, pending(666)));
      await well.write((batch) => batch.attempt(attempt(1, true)));
      await well.write((batch) => batch.attempt(attempt(2, true)));
      expect(await own.query('SELECT position::int FROM delivery.attempt ORDER BY 1')).toHaveLength(2);
      sick.giveUp();
      await expect(refused).rejects.toMatchObject({ code: 'TCN_FENCED' });
      await well.close(1_000);
    } finally {
      await own.query('DROP FUNCTION refuse CASCADE');
    }
  });

  it('shares the shards out, and none to two', async () => {
    const other = new ShardLeases(database, 'two', SHARDS);
    expect((await leases.renew([])).share).toBe(SHARDS);
    expect((await other.renew([])).share).toBe(SHARDS / 2);
    const [mine, theirs] = await Promise.all([leases.take(SHARDS), other.take(SHARDS)]);
    const taken = [...mine, ...theirs].map((lease) => lease.shard).sort();
    expect(taken).toEqual(Array.from({ length: SHARDS }, (_, shard) => shard));
  });
});
