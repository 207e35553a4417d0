import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import { ForwardProxy } from './proxy.js';
import { Sender } from './sender.js';
import { testAuthority } from './certificates.harness.js';
import { type RawServer, rawServer, response } from './raw-server.harness.js';

const authority = testAuthority();
const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function serve(...parameters: Parameters<typeof rawServer>): Promise<RawServer> {
  const server = await rawServer(...parameters);
  cleanup.push(() => server.close());
  return server;
}
const receiver = () =>
  serve((socket) => socket.write(response('200 OK', 'ok')), { tls: authority.issue({ names: ['hooks.example.net'] }) });
/** A proxy that knows one name, and leads it to loopback. */
const proxyServer = (answer = 'HTTP/1.1 200 Connection established\r\n\r\n') =>
  serve((socket: Socket) => {
    socket.removeAllListeners('data');
    socket.write(answer);
    if (target === undefined || !answer.includes(' 200 ')) return;
    const onward = connect(target, '127.0.0.1').on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
let target: number | undefined;

function send(proxy: string, url: string, bypass: string[] = []) {
  const resolver = {
    resolve: (host: string) =>
      host === 'direct.example.net' ? Promise.resolve(['127.0.0.1']) : Promise.reject(new Error('unknown here')),
  };
  const sender = new Sender({
    egress: EgressPolicy.parse('public,loopback'),
    resolver,
    ca: [authority.cert],
    proxy: new ForwardProxy(proxy, bypass),
    limits: { connectMs: 500 },
  });
  cleanup.push(() => sender.close());
  return sender.send({ url, headers: {}, body: Buffer.from('{}'), deadlineMs: 2_000 });
}

describe('a forward proxy', () => {
  it('is asked for a tunnel by name, with its credentials; TLS goes through to the receiver', async () => {
    const end = await receiver();
    target = end.port;
    const proxy = await proxyServer();
    const outcome = await send(`http://us%40er:pass@127.0.0.1:${proxy.port}`, 'https://hooks.example.net/in');
    expect(outcome).toMatchObject({
      kind: 'response',
      status: 200,
      address: `127.0.0.1:${proxy.port} → hooks.example.net:443`,
    });
    expect(proxy.requests[0]).toMatch(/^CONNECT hooks\.example\.net:443 HTTP\/1\.1\r\n/);
    expect(proxy.requests[0]).toContain(`Proxy-Authorization: Basic ${Buffer.from('us@er:pass').toString('base64')}`);
    expect(end.requests[0]).toMatch(/^POST \/in /);
    expect(end.requests[0]).not.toMatch(/proxy-authorization/i);
  });

  it('that refuses, talks nonsense, or hangs is a failure to connect', async () => {
    const refusing = await proxyServer('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    expect(await send(`http://127.0.0.1:${refusing.port}`, 'https://hooks.example.net/')).toMatchObject({
      errorClass: 'refused',
      phase: 'connect',
      detail: expect.stringContaining('407'),
    });
    const odd = await proxyServer(`220 mail ${'x'.repeat(20_000)}`);
    expect(await send(`http://127.0.0.1:${odd.port}`, 'https://hooks.example.net/')).toMatchObject({
      errorClass: 'refused',
    });
    const hanging = await proxyServer('');
    expect(await send(`http://127.0.0.1:${hanging.port}`, 'https://hooks.example.net/')).toMatchObject({
      errorClass: 'timeout',
      phase: 'connect',
    });
    await expect.poll(() => hanging.open()).toBe(0);
  });

  it('is never asked for literal addresses or names that the policy forbids', async () => {
    const proxy = await proxyServer();
    for (const host of ['169.254.169.254', '10.0.0.1', '[fd00::1]', 'metadata.google.internal']) {
      expect(await send(`http://127.0.0.1:${proxy.port}`, `https://${host}/`)).toMatchObject({
        errorClass: 'egress-blocked',
      });
    }
    expect(proxy.accepted()).toBe(0);
  });

  it('is passed by for hosts that are exempt, and for plain http', async () => {
    const proxy = await proxyServer();
    const plain = await serve((socket) => socket.write(response('200 OK')));
    const url = `http://127.0.0.1:${proxy.port}`;
    expect(await send(url, `http://direct.example.net:${plain.port}/`)).toMatchObject({ status: 200 });
    const direct = await serve((socket) => socket.write(response('200 OK')), {
      tls: authority.issue({ names: ['direct.example.net'] }),
    });
    expect(await send(url, `https://direct.example.net:${direct.port}/`, ['.example.net'])).toMatchObject({
      status: 200,
    });
    expect(proxy.accepted()).toBe(0);
  });

  it('must be a URL', () => {
    expect(() => new ForwardProxy('socks5://127.0.0.1:1080')).toThrow(expect.objectContaining({ code: 'TCN_CONFIG' }));
  });
});
