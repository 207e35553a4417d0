import { mkdtemp, rm } from 'node:fs/promises';
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
function request(port: number, subject: string, payload: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      const reply = /MSG inbox 1 (\d+)\r\n/.exec(text);
      if (reply === null) return;
      const body = text.slice(reply.index + reply[0].length);
      if (body.length < Number(reply[1])) return;
      socket.destroy();
      resolve(body.slice(0, Number(reply[1])));
    });
    socket.write(
      `CONNECT {"verbose":false}\r\nSUB inbox 1\r\nPUB ${subject} inbox ${payload.length}\r\n${payload}\r\n`,
    );
  });
}

const makeStream = (port: number) =>
  request(port, '$JS.API.STREAM.CREATE.KEPT', JSON.stringify({ name: 'KEPT', subjects: ['kept.>'], storage: 'file' }));
const lastSequence = async (port: number) =>
  (JSON.parse(await request(port, '$JS.API.STREAM.INFO.KEPT', '')) as { state: { last_seq: number } }).state.last_seq;
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
    await makeStream(first.port);
    await request(first.port, 'kept.one', 'x');
    await first.stop();
    expect(await first.exited).toMatchObject({ expected: true });
    const second = await start();
    expect(await lastSequence(second.port)).toBe(1);
    await request(second.port, 'kept.two', 'x');
    second.kill9();
    const third = await start({ port: second.port });
    expect(third.port).toBe(second.port);
    expect(await lastSequence(third.port)).toBe(2);
  });

  it('takes further configuration over its own', async () => {
    const info = await serverInfo(await start({ config: { server_name: 'n1', jetstream: { max_mem: 1024 * 1024 } } }));
    expect(info.server_name).toBe('n1');
    expect(info.jetstream.config).toMatchObject({
      max_memory: 1024 * 1024,
      store_dir: expect.stringContaining(dataDir),
    });
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
      message: expect.stringContaining('max_payload'),
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
