import { testDatabase, type TestDatabase } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from './database.js';
import { sqlState } from './errors.js';
import type { Queryable } from './run.js';

let own: TestDatabase;
let database: Database;
let observer: Database;
let held: Queryable;
beforeEach(async () => {
  own = await testDatabase();
  const open = (poolSize: number): Promise<Database> =>
    Database.open({ url: own.url, applicationName: 'spec', schema: 'things', migrations: [], poolSize });
  database = await open(1);
  observer = await open(1);
  held = database.held();
});
afterEach(() => Promise.all([database.close(), observer.close()]));

async function backendOf(queryable: Queryable): Promise<number | undefined> {
  const [row] = await queryable.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return row?.pid;
}

/** Ends a connection from outside; resolves when the server has let go of it. */
async function cut(pid: number | undefined): Promise<void> {
  await observer.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
}

describe('a held connection', () => {
  it('stays while statements follow one another, and is the pool’s again after a second', async () => {
    const pid = await backendOf(held);
    let free = false;
    // The only connection there is.
    const waiting = database.query('SELECT 1').then(() => (free = true));
    for (let count = 0; count < 5; count += 1) expect(await backendOf(held)).toBe(pid);
    expect(free).toBe(false);
    await waiting;
    expect(await backendOf(held)).toBe(pid);
  });

  it('is not taken away from a statement that takes longer than that', async () => {
    const pid = await backendOf(held);
    const [row] = await held.query<{ pid: number }>('SELECT pg_backend_pid() AS pid FROM pg_sleep(1.5)');
    expect(row?.pid).toBe(pid);
    expect(await backendOf(held)).toBe(pid);
  });

  it('is replaced where it broke while nobody asked', async () => {
    const pid = await backendOf(held);
    await cut(pid);
    await expect.poll(() => backendOf(held).catch(() => pid)).not.toBe(pid);
  });

  it('is replaced where it broke under a statement, which is TCN_UNAVAILABLE', async () => {
    const pid = await backendOf(held);
    const running = held.query('SELECT pg_sleep(10)');
    running.catch(() => undefined);
    await cut(pid);
    await expect(running).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    expect(await backendOf(held)).not.toBe(pid);
  });

  it('goes on after a statement that the server refused', async () => {
    const refused: unknown = await held.query('SELECT 1/0').catch((error: unknown) => error);
    expect(sqlState(refused)).toBe('22012');
    expect(await backendOf(held)).toEqual(expect.any(Number));
  });

  it('lets what runs finish when the pool is closed, and takes nothing more', async () => {
    await backendOf(held);
    const running = held.query('SELECT pg_sleep(0.3)');
    const closing = database.close();
    await expect(held.query('SELECT 1')).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    await expect(running).resolves.toHaveLength(1);
    await closing;
  });
});
