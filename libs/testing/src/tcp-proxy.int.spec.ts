import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './eventually.js';
import { TcpProxy } from './tcp-proxy.js';

let echo: Server;
let proxy: TcpProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.start({ targetPort: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  await new Promise((closed) => echo.close(closed));
});

/** A client and all it has got so far. */
async function dial(): Promise<{ socket: Socket; got: () => string; error: () => string | undefined }> {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  let text = '';
  let code: string | undefined;
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
  await once(socket, 'connect');
  return { socket, got: () => text, error: () => code };
}

describe('TcpProxy', () => {
  it('passes bytes both ways, and the end of one side', async () => {
    const { socket, got } = await dial();
    socket.end('x'.repeat(1_000_000));
    await once(socket, 'close');
    expect(got()).toHaveLength(1_000_000);
    expect(proxy.connections).toBe(1);
    expect(proxy.open).toBe(0);
  });

  it('cuts open connections with a reset, and takes new ones', async () => {
    const { error } = await dial();
    await eventually(() => proxy.open === 1, { what: 'the line is open' });
    proxy.cut();
    await eventually(() => error() === 'ECONNRESET', { what: 'the client notices' });
    const next = await dial();
    next.socket.write('again');
    await eventually(() => next.got() === 'again', { what: 'the echo' });
  });

  it('lets nothing pass while stalled, and all of it afterwards', async () => {
    const before = await dial();
    before.socket.write('1');
    await eventually(() => before.got() === '1', { what: 'the echo' });
    proxy.stall();
    before.socket.write('2');
    const during = await dial();
    during.socket.write('3');
    await new Promise((passed) => setTimeout(passed, 200));
    expect([before.got(), during.got()]).toEqual(['1', '']);
    await proxy.restore();
    await eventually(() => before.got() === '12' && during.got() === '3', { what: 'what was held back' });
  });

  it('refuses connections, and is back on the same port', async () => {
    const port = proxy.port;
    const { error } = await dial();
    await proxy.refuse();
    await eventually(() => error() === 'ECONNRESET', { what: 'the client notices' });
    await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.restore();
    expect(proxy.port).toBe(port);
    await dial();
  });

  it.each([
    ['nats://user:p-w@127.0.0.1:4222', 'nats://user:p-w@127.0.0.1:PORT'],
    ['postgres://u:p@db.example:5432/name?x=1', 'postgres://u:p@127.0.0.1:PORT/name?x=1'],
    ['http://localhost/hook', 'http://127.0.0.1:PORT/hook'],
  ])('turns %s into an address through itself', (url, expected) => {
    expect(proxy.through(url)).toBe(expected.replace('PORT', String(proxy.port)));
  });
});
