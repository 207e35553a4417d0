import { freePort } from '@tocsin/embedded';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from './broker-pair.harness.js';
import { Broker } from './broker.js';
import { NatsUnderTest } from './jetstream.harness.js';

let nats: NatsUnderTest;
beforeAll(async () => {
  nats = await NatsUnderTest.start();
});
afterAll(() => nats.dispose());

describe('Broker.connect', () => {
  it('says where NATS cannot be reached, without the credentials', async () => {
    const port = await freePort();
    const error = await failure(
      Broker.connect({ servers: `nats://user:s3cret@127.0.0.1:${port}`, name: 'spec', connectTimeoutMs: 1_000 }),
    );
    expect(error.code).toBe('TCN_NATS_UNREACHABLE');
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).not.toMatch(/user|s3cret/);
  });

  it('gives up on a port that accepts and says nothing', async () => {
    const silent = await listen(() => undefined);
    const start = performance.now();
    const error = await failure(
      Broker.connect({ servers: `127.0.0.1:${silent.port}`, name: 'spec', connectTimeoutMs: 300 }),
    );
    expect(error.code).toBe('TCN_NATS_UNREACHABLE');
    expect(performance.now() - start).toBeLessThan(5_000);
    await silent.close();
  });

  it('tells refused credentials from an unreachable server', async () => {
    const { host } = new URL(nats.url);
    const error = await failure(Broker.connect({ servers: `nats://user:wr0ng@${host}`, name: 'spec' }));
    expect(error.code).toBe('TCN_CONFIG');
    expect(error.message).toContain(host);
    expect(error.message).not.toContain('wr0ng');
  });

  it('refuses a server older than 2.12', async () => {
    // No such server is to be had here: this one says what an old one says.
    const old = await listen((socket) => {
      socket.write(
        'INFO {"server_id":"X","version":"2.9.10","max_payload":1048576,"headers":true,"jetstream":true}\r\n',
      );
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('PING')) socket.write('PONG\r\n');
      });
    });
    const error = await failure(Broker.connect({ servers: `127.0.0.1:${old.port}`, name: 'spec' }));
    expect(error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(error.message).toMatch(/2\.9\.10; at least 2\.12/);
    await old.close();
  });

  it('refuses a server without JetStream', async () => {
    const plain = await NatsUnderTest.start({
      accounts: { A: { jetstream: false, users: [{ user: 'a', password: 'b' }] } },
    });
    const { host } = new URL(plain.url);
    const error = await failure(Broker.connect({ servers: `nats://a:b@${host}`, name: 'spec' }));
    expect(error).toMatchObject({ code: 'TCN_NATS_UNSUITABLE' });
    expect(error.message).toMatch(/no JetStream/);
    await plain.dispose();
  });
});

async function listen(onSocket: (socket: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
