import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findNatsServer, type NatsSource } from './find-nats-server.js';
import { natsFromRelease } from './nats-from-release.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-find-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A program that gives this version and does nothing else. */
async function fakeServer(path: string, version: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, script(version));
  await chmod(path, 0o755);
  return path;
}

const script = (version: string) => `#!/bin/sh\necho "nats-server: v${version}"\n`;
const env = (more: Record<string, string> = {}) => ({
  PATH: join(folder, 'bin'),
  TOCSIN_CACHE_DIR: join(folder, 'cache'),
  ...more,
});
const source =
  (version: string): NatsSource =>
  (into) =>
    fakeServer(join(into, 'x', 'nats-server'), version);
const nowhere: NatsSource = () => Promise.reject(new Error('no line'));

describe('findNatsServer', () => {
  it('takes TOCSIN_NATS_SERVER before everything else', async () => {
    await fakeServer(join(folder, 'bin', 'nats-server'), '2.15.1');
    const named = await fakeServer(join(folder, 'mine'), '2.12.0');
    expect(await findNatsServer({ env: env({ TOCSIN_NATS_SERVER: named }) })).toBe(named);
  });

  it.each([
    ['missing', undefined, 'not a nats-server that runs here'],
    ['too old', '2.11.9', 'version 2.11.9, and 2.12.0 or later is needed'],
  ])('refuses a TOCSIN_NATS_SERVER that is %s, instead of taking another', async (_, version, reason) => {
    await fakeServer(join(folder, 'bin', 'nats-server'), '2.15.1');
    if (version !== undefined) await fakeServer(join(folder, 'mine'), version);
    await expect(findNatsServer({ env: env({ TOCSIN_NATS_SERVER: join(folder, 'mine') }) })).rejects.toMatchObject({
      code: 'TCN_SERVER_NOT_FOUND',
      message: expect.stringContaining(reason),
    });
  });

  it('takes the one on PATH if it is new enough', async () => {
    const found = await fakeServer(join(folder, 'bin', 'nats-server'), '2.12.0');
    expect(await findNatsServer({ env: env(), sources: [] })).toBe(found);
  });

  it('takes the newest in the cache where the one on PATH is too old', async () => {
    await fakeServer(join(folder, 'bin', 'nats-server'), '2.9.10');
    await fakeServer(join(folder, 'cache', 'nats-server', '2.9.0', 'nats-server'), '2.9.0');
    await fakeServer(join(folder, 'cache', 'nats-server', '2.12.4', 'nats-server'), '2.12.4');
    const newest = await fakeServer(join(folder, 'cache', 'nats-server', '2.15.1', 'nats-server'), '2.15.1');
    expect(await findNatsServer({ env: env(), sources: [] })).toBe(newest);
  });

  it('passes over a broken program in the cache', async () => {
    const good = await fakeServer(join(folder, 'cache', 'nats-server', '2.12.4', 'nats-server'), '2.12.4');
    await mkdir(join(folder, 'cache', 'nats-server', '2.15.1'), { recursive: true });
    await writeFile(join(folder, 'cache', 'nats-server', '2.15.1', 'nats-server'), '', { mode: 0o755 });
    expect(await findNatsServer({ env: env(), sources: [] })).toBe(good);
  });

  it('fetches from the next source when one fails, keeps what it got, and leaves nothing else behind', async () => {
    await mkdir(join(folder, 'cache', 'nats-server', '.fetch-killed'), { recursive: true });
    const lines: string[] = [];
    const found = await findNatsServer({
      env: env(),
      log: (line) => lines.push(line),
      sources: [
        ['first', nowhere],
        ['second', source('2.15.1')],
      ],
    });
    expect(lines).toEqual(['nats-server: trying first', 'nats-server: trying second']);
    expect(found).toBe(join(folder, 'cache', 'nats-server', '2.15.1', 'nats-server'));
    expect(await readdir(join(folder, 'cache', 'nats-server'))).toEqual(['2.15.1']);
    expect(await findNatsServer({ env: env(), sources: [] })).toBe(found);
  });

  it('fetches once where several ask at the same time', async () => {
    let fetches = 0;
    const counted: NatsSource = (into) => {
      fetches += 1;
      return source('2.15.1')(into);
    };
    const found = await Promise.all(
      Array.from({ length: 5 }, () => findNatsServer({ env: env(), sources: [['only', counted]] })),
    );
    expect(new Set(found).size).toBe(1);
    expect(fetches).toBe(1);
  });

  it('says what was tried and what to install when there is none', async () => {
    await expect(
      findNatsServer({
        env: env(),
        sources: [
          ['the archive', nowhere],
          ['the packages', source('2.9.10')],
        ],
      }),
    ).rejects.toMatchObject({
      code: 'TCN_SERVER_NOT_FOUND',
      message: expect.stringMatching(
        /the archive: no line; the packages: it has version 2\.9\.10 only.*TOCSIN_NATS_SERVER/,
      ),
    });
  });
});

describe('natsFromRelease', () => {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  let server: Server;
  let baseUrl: string;
  let archive: Buffer;

  beforeEach(async () => {
    server = createServer((request, response) => {
      const name = `nats-server-v2.15.0-${platform}`;
      if (request.url !== `/v2.15.0/${name}.tar.gz`) return response.writeHead(404).end();
      archive = gzipSync(
        Buffer.concat([tarEntry(`${name}/LICENSE`, 'x'), tarEntry(`${name}/nats-server`, script('2.15.0'))]),
      );
      return response.end(archive);
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => new Promise((closed) => server.close(closed)));

  const sha256 = async () => {
    const body = await (await fetch(`${baseUrl}/v2.15.0/nats-server-v2.15.0-${platform}.tar.gz`)).bytes();
    return createHash('sha256').update(body).digest('hex');
  };

  it('unpacks the program from an archive with the right checksum', async () => {
    const path = await natsFromRelease(folder, { baseUrl, sha256: { [platform]: await sha256() } });
    expect(await readFile(path, 'utf8')).toBe(script('2.15.0'));
  });

  it('refuses an archive with another checksum, and writes nothing', async () => {
    const actual = await sha256();
    await expect(natsFromRelease(folder, { baseUrl, sha256: { [platform]: '0'.repeat(64) } })).rejects.toThrow(
      `the archive has SHA-256 ${actual} instead of 0000`,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('says why the download failed', async () => {
    const release = { baseUrl: `${baseUrl}/elsewhere`, sha256: { [platform]: await sha256() } };
    await expect(natsFromRelease(folder, release)).rejects.toThrow('status 404');
    await expect(natsFromRelease(folder, { ...release, baseUrl: 'http://127.0.0.1:1' })).rejects.toThrow(
      /bad port|ECONNREFUSED/,
    );
  });

  it('refuses a platform it knows no checksum for', async () => {
    await expect(natsFromRelease(folder, { baseUrl, sha256: {} })).rejects.toThrow(
      `no checksum is known for ${platform}`,
    );
  });
});

/** One entry of a ustar archive. */
function tarEntry(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  header.write('0', 156);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body]);
}
