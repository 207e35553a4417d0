import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer, type StartPostgresOptions } from './postgres.js';

// mkdtemp makes a folder that only we may enter: run as root, every test here also shows that the server's own user gets through.
let folder: string;
let dataDir: string;
const started: PostgresServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-postgres-'));
  dataDir = join(folder, 'pg');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<StartPostgresOptions> = {}): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir, durability: 'fast', ...options });
  started.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The error code of a TCP connection, `connected` without one. */
const connecting = (host: string, port: number) =>
  new Promise<string>((resolve) => {
    const socket = connect({ host, port }, () => resolve('connected'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('connect', () => socket.destroy());
  });

describe('startPostgres', () => {
  it('gives a PostgreSQL 18 with UTF-8, UTC and checksums', async () => {
    const { url } = await start();
    const [row] = await query(
      url,
      `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_encoding') AS encoding,
              current_setting('TimeZone') AS zone, current_setting('data_checksums') AS checksums, current_database() AS database`,
    );
    expect(row).toEqual({ major: 18, encoding: 'UTF8', zone: 'UTC', checksums: 'on', database: 'tocsin' });
  });

  it('writes to disk on commit unless asked to be fast', async () => {
    const setting = async (url: string) => (await query(url, 'SHOW fsync'))[0]?.['fsync'];
    const durable = await start({ durability: 'full' });
    expect(await setting(durable.url)).toBe('on');
    await durable.stop();
    expect(await setting((await start()).url)).toBe('off');
  });

  it('asks for the password it keeps for us alone', async () => {
    const { url, port } = await start();
    expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
    const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
    expect(url).toBe(`postgres://tocsin:${password}@127.0.0.1:${port}/tocsin`);
    await expect(query(url.replace(password, 'guess'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('listens on the loopback address only', async () => {
    const { url, port } = await start();
    expect((await query(url, 'SHOW listen_addresses'))[0]).toEqual({ listen_addresses: '127.0.0.1' });
    expect(await connecting('127.0.0.1', port)).toBe('connected');
    for (const { address } of Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])) {
      if (address.includes('.') && address !== '127.0.0.1')
        expect(await connecting(address, port)).toBe('ECONNREFUSED');
    }
  });

  it('does not run as root', async () => {
    const { pid } = await start();
    const { stdout } = await promisify(execFile)('ps', ['-o', 'uid=', '-p', String(pid)]);
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  it('keeps what was written over a stop and a start', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(await first.exited).toEqual({ code: 0, signal: null, expected: true });
    const second = await start();
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('comes back on the same port with every committed row after kill -9', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    first.kill9();
    const second = await start({ port: first.port });
    expect(second.port).toBe(first.port);
    expect(second.pid).not.toBe(first.pid);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('tells of an end nobody asked for', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGQUIT');
    expect(await server.exited).toMatchObject({ expected: false });
  });

  it('refuses a data directory that is in use, and names the user of it', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'TCN_DATA_DIR',
      message: expect.stringContaining(`in use by process ${process.pid}`),
    });
  });

  it('refuses a data directory that a Postgres of somebody else serves', async () => {
    await start();
    // Without our own traces the server is a stranger's.
    await rm(join(dataDir, 'lock'));
    await rm(join(dataDir, 'server.json'));
    await expect(start()).rejects.toMatchObject({
      code: 'TCN_DATA_DIR',
      message: expect.stringContaining('Tocsin did not start'),
    });
  });

  it('starts over a postmaster.pid whose number another program has now', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pidFile = join(dataDir, 'data', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    first.kill9();
    await first.exited;
    await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)));
    const second = await start();
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('starts over a postmaster.pid whose process is dead but not reaped', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pidFile = join(dataDir, 'data', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    first.kill9();
    await first.exited;
    // The shell's child ends while the program that took the shell's place never asks for it: a zombie for as long as that one lives.
    // The server's own user has to own it; others' processes are nothing to Postgres.
    const { uid, gid } = await stat(join(dataDir, 'data'));
    const zombie = ['-c', 'sleep 0 & echo $!; exec sleep 60'];
    const parent = spawn('/bin/sh', zombie, { stdio: ['ignore', 'pipe', 'ignore'], uid, gid });
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      await writeFile(pidFile, text.replace(/^\d+/, line.toString().trim()));
      const second = await start();
      expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('refuses the cluster of another major version', async () => {
    await mkdir(join(dataDir, 'data'), { recursive: true });
    await writeFile(join(dataDir, 'data', 'PG_VERSION'), '17\n');
    await expect(start()).rejects.toMatchObject({
      code: 'TCN_DATA_DIR',
      message: expect.stringContaining('made by Postgres 17'),
    });
  });

  it('refuses a directory that cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(start({ dataDir: join(folder, 'file', 'pg') })).rejects.toMatchObject({ code: 'TCN_DATA_DIR' });
  });

  it('shows the last lines of its log when it does not start, and leaves the directory free', async () => {
    await expect(start({ settings: { shared_buffers: 'nonsense' } })).rejects.toMatchObject({
      code: 'TCN_POSTGRES_UNREACHABLE',
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "nonsense"'),
    });
    await start();
  });

  it('refuses a port that is taken', async () => {
    const first = await start();
    await expect(start({ dataDir: join(folder, 'other'), port: first.port })).rejects.toMatchObject({
      code: 'TCN_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${first.port}`),
    });
  });

  it('keeps the logs of earlier runs beside the current one', async () => {
    for (let run = 0; run < 2; run += 1) await (await start()).stop();
    const [current, earlier] = await Promise.all(
      ['server.log', 'server.log.1'].map((name) => readFile(join(dataDir, name), 'utf8')),
    );
    expect(current).toContain('database system is shut down');
    expect(earlier).toContain('database system is shut down');
  });
});
