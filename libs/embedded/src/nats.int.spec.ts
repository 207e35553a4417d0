import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type NatsServer, type StartNatsOptions } from './nats.js';
import { compareVersions, OLDEST_NATS } from './server-version.js';

let folder: string;
let dataDir: string;
const started: NatsServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-nats-'));
  dataDir = join(folder, 'nats');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<StartNatsOptions> = {}): Promise<NatsServer> {
  const server = await startNats({ dataDir, ...options });
  started.push(server);
  return server;
}

/** One request and its reply in the client protocol, so that this library needs no driver. */
function request(server: NatsServer, subject: string, payload: string, password?: string): Promise<string> {
  const { username: user, password: pass } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      const refusal = /-ERR '(.*)'/.exec(text);
      if (refusal !== null) return reject(new Error(refusal[1]));
      const reply = /MSG inbox 1 (\d+)\r\n/.exec(text);
      if (reply === null) return;
      const body = text.slice(reply.index + reply[0].length);
      if (body.length < Number(reply[1])) return;
      socket.destroy();
      resolve(body.slice(0, Number(reply[1])));
    });
    const login = JSON.stringify({ verbose: false, user, pass: password ?? pass });
    socket.write(`CONNECT ${login}\r\nSUB inbox 1\r\nPUB ${subject} inbox ${payload.length}\r\n${payload}\r\n`);
  });
}

const makeStream = (server: NatsServer) =>
  request(
    server,
    '$JS.API.STREAM.CREATE.KEPT',
    JSON.stringify({ name: 'KEPT', subjects: ['kept.>'], storage: 'file' }),
  );
const lastSequence = async (server: NatsServer) =>
  (JSON.parse(await request(server, '$JS.API.STREAM.INFO.KEPT', '')) as { state: { last_seq: number } }).state.last_seq;
const serverInfo = async (server: NatsServer) =>
  (await (await fetch(`${server.monitorUrl}/varz`)).json()) as {
    version: string;
    host: string;
    max_payload: number;
    jetstream: { config?: { store_dir: string } };
    server_name: string;
  };

describe('startNats', () => {
  it('gives a nats-server that is new enough, with JetStream in the data directory, on the loopback address only', async () => {
    const info = await serverInfo(await start());
    expect(compareVersions(info.version, OLDEST_NATS)).toBeGreaterThanOrEqual(0);
    expect(info.host).toBe('127.0.0.1');
    expect(info.max_payload).toBe(8 * 1024 * 1024);
    expect(info.jetstream.config?.store_dir).toContain(dataDir);
  });

  it('keeps a stream over a stop and a start, and over kill -9', async () => {
    const first = await start();
    await makeStream(first);
    await request(first, 'kept.one', 'x');
    await first.stop();
    expect(await first.exited).toMatchObject({ expected: true });
    const second = await start();
    expect(await lastSequence(second)).toBe(1);
    await request(second, 'kept.two', 'x');
    second.kill9();
    const third = await start({ port: second.port });
    expect(third.port).toBe(second.port);
    expect(await lastSequence(third)).toBe(2);
  });

  it('takes further configuration over its own', async () => {
    const info = await serverInfo(await start({ config: { server_name: 'n1', jetstream: { max_mem: 1024 * 1024 } } }));
    expect(info.server_name).toBe('n1');
    expect(info.jetstream.config).toMatchObject({
      max_memory: 1024 * 1024,
      store_dir: expect.stringContaining(dataDir),
    });
  });

  it('asks for the password it keeps for us alone', async () => {
    const server = await start();
    expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
    expect(new URL(server.url).password).toBe((await readFile(join(dataDir, 'password'), 'utf8')).trim());
    await expect(request(server, '$JS.API.INFO', '', 'guess')).rejects.toThrow('Authorization Violation');
    expect(JSON.parse(await request(server, '$JS.API.INFO', ''))).toHaveProperty('limits');
  });

  it('leaves access to the accounts it is given', async () => {
    const server = await start({
      config: { accounts: { A: { jetstream: true, users: [{ user: 'a', password: 'b' }] } } },
    });
    expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
    const named = { ...server, url: `nats://a:b@127.0.0.1:${server.port}` };
    expect(JSON.parse(await request(named, '$JS.API.INFO', ''))).toHaveProperty('limits');
  });

  it('tells of an end nobody asked for', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL', expected: false });
  });

  it('refuses a data directory that is in use', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'TCN_DATA_DIR' });
  });

  it('shows the last lines of its log when it does not start, and leaves the directory free', async () => {
    await expect(start({ config: { max_payload: 'nonsense' } })).rejects.toMatchObject({
      code: 'TCN_NATS_UNREACHABLE',
      message: expect.stringMatching(/server\.log:\n.*nats\.json:\d+/),
    });
    await start();
  });

  it('refuses a port that is taken', async () => {
    const first = await start();
    await expect(start({ dataDir: join(folder, 'other'), port: first.port })).rejects.toMatchObject({
      code: 'TCN_PORT_IN_USE',
    });
  });
});
