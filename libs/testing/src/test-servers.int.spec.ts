import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stopTestServers, testDatabase, testFolder, testNats, testPostgres } from './test-servers.js';

describe('test servers', () => {
  it('give each caller an empty database on one server', async () => {
    const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
    expect(one.url).not.toBe(other.url);
    await one.query('CREATE TABLE mine (n int)');
    await one.query('INSERT INTO mine VALUES ($1)', [7]);
    expect(await one.query('SELECT n FROM mine')).toEqual([{ n: 7 }]);
    await expect(other.query('SELECT n FROM mine')).rejects.toMatchObject({ code: '42P01' });
    expect(await testPostgres()).toBe(await testPostgres());
    await one.drop();
    await expect(one.query('SELECT 1')).rejects.toMatchObject({ code: '3D000' });
  });

  it('are one nats-server for all', async () => {
    const nats = await testNats();
    expect(await testNats()).toBe(nats);
    const greeting = await new Promise<string>((resolve, reject) => {
      const socket = connect(nats.port, '127.0.0.1');
      socket.on('error', reject);
      socket.once('data', (chunk) => {
        socket.destroy();
        resolve(chunk.toString());
      });
    });
    expect(JSON.parse(greeting.slice('INFO '.length))).toMatchObject({ jetstream: true });
  });

  it('are gone at the end, with every folder', async () => {
    const folder = await testFolder();
    await writeFile(join(folder, 'file'), '');
    const [postgres, nats] = await Promise.all([testPostgres(), testNats()]);
    await stopTestServers();
    expect(existsSync(folder)).toBe(false);
    expect(await Promise.all([postgres.exited, nats.exited])).toMatchObject([{ expected: true }, { expected: true }]);
    expect((await testPostgres()).pid).not.toBe(postgres.pid);
  });
});
