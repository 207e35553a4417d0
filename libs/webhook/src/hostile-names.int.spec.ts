import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import type { AttemptOutcome } from './outcome.js';
import { type HostResolver, SystemResolver } from './resolver.js';
import { Sender, type SenderOptions } from './sender.js';
import { type TestCertificate, testAuthority } from './certificates.harness.js';
import { type RawServer, rawServer, response } from './raw-server.harness.js';
import type { TlsIdentity } from './tls-context.js';

const GOOD = '127.0.0.1';
const BAD = '127.0.0.9';
/** Lets GOOD through and nothing else, as `public` lets public addresses through and no private ones. */
const policy = EgressPolicy.parse(`${GOOD}/32`);

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function serve(options: Parameters<typeof rawServer>[1] = {}): Promise<RawServer> {
  // Connections are closed after each answer, so that every attempt has to resolve anew.
  const server = await rawServer(
    (socket: Socket) => socket.end(response('200 OK', 'ok', ['Connection: close'])),
    options,
  );
  cleanup.push(() => server.close());
  return server;
}

function sender(options: Partial<SenderOptions>): Sender {
  const made = new Sender({ egress: policy, limits: { dnsMs: 300, connectMs: 300, tlsMs: 400 }, ...options });
  cleanup.push(() => made.close());
  return made;
}

function send(from: Sender, url: string, tls?: TlsIdentity): Promise<AttemptOutcome> {
  return from.send({
    url,
    headers: {},
    body: Buffer.from('{}'),
    deadlineMs: 2_000,
    ...(tls === undefined ? {} : { tls }),
  });
}

/** A name server that gives one answer after the other, the last one for ever. */
function answers(...list: string[][]): HostResolver & { asked: number } {
  return {
    asked: 0,
    resolve() {
      return Promise.resolve(list[Math.min(this.asked++, list.length - 1)]!);
    },
  };
}

describe('names that change where they lead', () => {
  it('allowed first, forbidden then: the second attempt is blocked', async () => {
    const server = await serve();
    const from = sender({ resolver: answers([GOOD], [BAD]) });
    const url = `http://rebind.example.net:${server.port}/`;
    expect(await send(from, url)).toMatchObject({ kind: 'response', status: 200, address: `${GOOD}:${server.port}` });
    expect(await send(from, url)).toMatchObject({ kind: 'error', errorClass: 'egress-blocked' });
    expect(server.requests).toHaveLength(1);
  });

  it('forbidden first, allowed then: blocked, then delivered', async () => {
    const server = await serve();
    const from = sender({ resolver: answers([BAD], [GOOD]) });
    const url = `http://rebind.example.net:${server.port}/`;
    expect(await send(from, url)).toMatchObject({ kind: 'error', errorClass: 'egress-blocked' });
    expect(await send(from, url)).toMatchObject({ kind: 'response', status: 200 });
  });

  it('changes between vetting and connecting: it is asked once, and the vetted address is the one used', async () => {
    const server = await serve();
    const resolver = answers([GOOD], [BAD]);
    expect(await send(sender({ resolver }), `http://rebind.example.net:${server.port}/`)).toMatchObject({
      status: 200,
    });
    expect(resolver.asked).toBe(1);
  });

  it.each([
    [[GOOD, BAD]],
    [[BAD, GOOD]],
    [[GOOD, '::ffff:127.0.0.9']],
    [[GOOD, '169.254.169.254']],
    [[GOOD, 'nonsense']],
  ])('good and bad at once (%j): nothing is sent at all', async (addresses) => {
    const server = await serve();
    const outcome = await send(sender({ resolver: answers(addresses) }), `http://mixed.example.net:${server.port}/`);
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'egress-blocked' });
    expect(server.accepted()).toBe(0);
  });

  it.each([
    '127.9',
    '0x7f000009',
    '2130706441',
    '0177.0.0.011',
    '[::ffff:127.0.0.9]',
    '[::1]',
    '[::127.0.0.1]',
    '169.254.169.254',
  ])('a literal (%s) needs no name server to be blocked', async (host) => {
    const resolver = answers([GOOD]);
    const outcome = await send(sender({ resolver }), `http://${host}:8080/`);
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'egress-blocked' });
    expect(outcome.address).toBeUndefined();
    expect(resolver.asked).toBe(0);
  });

  it('takes an allowed literal in another spelling for what it is', async () => {
    const server = await serve();
    expect(await send(sender({}), `http://0x7f.1:${server.port}/`)).toMatchObject({ status: 200 });
  });
});

describe('names that lead nowhere', () => {
  it('does not answer: the attempt ends with the time for DNS', async () => {
    const outcome = await send(
      sender({ resolver: { resolve: () => new Promise(() => undefined) } }),
      'http://slow.example.net/',
    );
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'dns' });
    expect(outcome.phasesMs.total).toBeLessThan(900);
  });

  it('is unknown', async () => {
    const failing = { resolve: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })) };
    expect(await send(sender({ resolver: failing }), 'http://unknown.example.net/')).toMatchObject({
      kind: 'error',
      errorClass: 'dns',
      phase: 'dns',
      detail: 'no such name',
    });
  });

  it('tries the next address when one refuses', async () => {
    const server = await serve();
    const wide = EgressPolicy.parse('loopback');
    const from = sender({ egress: wide, resolver: answers(['127.0.0.77', GOOD]) });
    expect(await send(from, `http://two.example.net:${server.port}/`)).toMatchObject({
      status: 200,
      address: `${GOOD}:${server.port}`,
    });
  });

  it('is not a URL at all', async () => {
    expect(await send(sender({}), 'nonsense')).toMatchObject({ kind: 'error', errorClass: 'egress-blocked' });
    expect(await send(sender({}), 'gopher://example.net/')).toMatchObject({
      kind: 'error',
      errorClass: 'egress-blocked',
    });
  });

  it('localhost resolves without a name server', async () => {
    const resolver = new SystemResolver({ hostsFile: '/nonexistent', resolvConf: '/nonexistent' });
    expect(await resolver.resolve('a.localhost')).toEqual(['127.0.0.1', '::1']);
  });
});

describe('TLS', () => {
  const authority = testAuthority();
  const NAME = 'hooks.example.net';
  const tlsServer = (own: TestCertificate, more: object = {}) => serve({ tls: { ...own, ...more } });
  const from = (ca: string[] = [authority.cert]) => sender({ resolver: answers([GOOD]), ca });

  it('checks the certificate against the name, though it connects to an address', async () => {
    let servername: string | false | null = null;
    const server = await tlsServer(authority.issue({ names: [NAME] }), {
      SNICallback: (name: string, done: (error: null) => void) => {
        servername = name;
        done(null);
      },
    });
    const outcome = await send(from(), `https://${NAME}:${server.port}/`);
    expect(outcome).toMatchObject({ kind: 'response', status: 200 });
    expect(outcome.phasesMs.tls).toBeGreaterThan(0);
    expect(servername).toBe(NAME);
  });

  it('checks the certificate of a literal address against the address', async () => {
    const right = await tlsServer(authority.issue({ names: [GOOD] }));
    expect(await send(from(), `https://${GOOD}:${right.port}/`)).toMatchObject({ kind: 'response', status: 200 });
    const wrong = await tlsServer(authority.issue({ names: [BAD] }));
    expect(await send(from(), `https://${GOOD}:${wrong.port}/`)).toMatchObject({
      kind: 'error',
      errorClass: 'tls',
      phase: 'tls',
    });
  });

  it.each<[string, () => TestCertificate]>([
    ['of another name', () => authority.issue({ names: ['other.example.net'] })],
    ['that has expired', () => authority.issue({ names: [NAME], notAfter: new Date(Date.now() - 60_000) })],
    ['of an authority nobody trusts', () => testAuthority('Somebody else').issue({ names: [NAME] })],
  ])('refuses a certificate %s', async (_name, own) => {
    const server = await tlsServer(own());
    expect(await send(from(), `https://${NAME}:${server.port}/`)).toMatchObject({
      kind: 'error',
      errorClass: 'tls',
      phase: 'tls',
    });
    expect(server.requests).toHaveLength(0);
  });

  it('names a receiver that speaks no TLS, one that never finishes, and one that closes', async () => {
    const plain = await serve({ onConnection: (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') });
    expect(await send(from(), `https://${NAME}:${plain.port}/`)).toMatchObject({ errorClass: 'tls', phase: 'tls' });
    const hanging = await serve({ onConnection: (socket) => socket.resume() });
    expect(await send(from(), `https://${NAME}:${hanging.port}/`)).toMatchObject({
      errorClass: 'timeout',
      phase: 'tls',
    });
    await expect.poll(() => hanging.open()).toBe(0);
    const closing = await serve({ onConnection: (socket) => socket.end() });
    expect(await send(from(), `https://${NAME}:${closing.port}/`)).toMatchObject({ errorClass: 'reset', phase: 'tls' });
  });

  it('shows a client certificate to receivers that ask for one', async () => {
    const clients = testAuthority('Clients');
    const own = authority.issue({ names: [NAME] });
    const server = await tlsServer(own, { requestCert: true, rejectUnauthorized: true, ca: clients.cert });
    const url = `https://${NAME}:${server.port}/`;
    expect(await send(from(), url)).toMatchObject({ kind: 'error' });
    expect(server.requests).toHaveLength(0);
    expect(await send(from(), url, clients.issue({ names: ['tocsin'] }))).toMatchObject({
      kind: 'response',
      status: 200,
    });
  });

  it('trusts a destination’s own authority instead of the others', async () => {
    const server = await tlsServer(authority.issue({ names: [NAME] }));
    const url = `https://${NAME}:${server.port}/`;
    expect(await send(from([]), url, { ca: authority.cert })).toMatchObject({ status: 200 });
    expect(await send(from(), url, { ca: testAuthority('Other').cert })).toMatchObject({ errorClass: 'tls' });
  });

  it('reports a client key that cannot be read, and sends nothing', async () => {
    const server = await tlsServer(authority.issue({ names: [NAME] }));
    const outcome = await send(from(), `https://${NAME}:${server.port}/`, { cert: 'nonsense', key: 'nonsense' });
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'tls' });
    expect(server.requests).toHaveLength(0);
  });
});
