import { startNats, startPostgres, type NatsServer, type PostgresServer } from '@tocsin/embedded';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { seedCluster } from './seed-cluster.js';

/** A database of its own, empty, on the shared test server. */
export interface TestDatabase {
  /** Connection string of its owner, a superuser. */
  url: string;
  name: string;
  /** Runs one statement on a connection of its own. */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Removes it, ending whatever connections it has. Not needed at the end of a file: the whole server goes. */
  drop(): Promise<void>;
}

let folders: string[] = [];
let postgres: Promise<PostgresServer> | undefined;
let nats: Promise<NatsServer> | undefined;

/** A fresh folder for this test file, removed at its end. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-test-'));
  folders.push(folder);
  return folder;
}

/** The Postgres of this test file: started at the first call, stopped and removed at the end of the file. */
export function testPostgres(): Promise<PostgresServer> {
  postgres ??= startSeeded();
  return postgres;
}

async function startSeeded(): Promise<PostgresServer> {
  const dataDir = join(await testFolder(), 'postgres');
  await seedCluster(dataDir);
  return startPostgres({ dataDir, durability: 'fast' });
}

/** The nats-server of this test file, with JetStream: started at the first call, stopped and removed at the end of the file. */
export function testNats(): Promise<NatsServer> {
  nats ??= testFolder().then((folder) => startNats({ dataDir: join(folder, 'nats') }));
  return nats;
}

/** A fresh database on this file's Postgres; call it once per test, or once per file, as the test needs. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = await testPostgres();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runSql(server.url, `CREATE DATABASE ${name}`);
  const url = server.url.replace(/\/tocsin$/, `/${name}`);
  return {
    url,
    name,
    query: (sql, params) => runSql(url, sql, params),
    drop: async () => {
      await runSql(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Stops what was started here and removes its folders. Within vitest this happens by itself at the end of each file. */
export async function stopTestServers(): Promise<void> {
  const servers = [postgres, nats];
  postgres = undefined;
  nats = undefined;
  // One that did not start has told its test; there is nothing to stop.
  await Promise.all(
    servers.map((starting) =>
      starting?.then(
        (server) => server.stop(),
        () => undefined,
      ),
    ),
  );
  const done = folders;
  folders = [];
  await Promise.all(done.map((folder) => rm(folder, { recursive: true, force: true })));
}

async function runSql<Row extends object>(url: string, sql: string, params: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...params])).rows;
  } finally {
    await client.end();
  }
}

// vitest loads this module anew for every file; the hook is registered first, and so runs after the file's own.
if (process.env['VITEST'] !== undefined) {
  const { afterAll } = await import('vitest');
  afterAll(stopTestServers, 60_000);
}
