import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { classifyOutcome } from '@tocsin/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import type { AttemptOutcome } from './outcome.js';
import { Sender } from './sender.js';
import { type RawServer, rawServer, response } from './raw-server.harness.js';

const DEADLINE_MS = 1_000;
/** What a loaded machine may add to a timer. */
const SLACK_MS = 500;

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function serve(answer: (socket: Socket, index: number) => void): Promise<RawServer> {
  const server = await rawServer(answer);
  cleanup.push(() => server.close());
  return server;
}

/** One attempt at the server: whatever it does, the slot is free by the deadline and the connection closed unless it is in order. */
async function attempt(port: number, path = '/'): Promise<AttemptOutcome> {
  const sender = new Sender({
    egress: EgressPolicy.parse('loopback'),
    limits: { dnsMs: 300, connectMs: 400, tlsMs: 400, firstByteMs: 600 },
  });
  cleanup.push(() => sender.close());
  const startedMs = performance.now();
  const outcome = await sender.send({
    url: `http://127.0.0.1:${port}${path}`,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{}'),
    deadlineMs: DEADLINE_MS,
  });
  expect(performance.now() - startedMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  expect(sender.stats.inFlight).toBe(0);
  return outcome;
}

/** As {@link attempt}; afterwards the server has no connection left. */
async function attemptAndLetGo(server: RawServer): Promise<AttemptOutcome> {
  const outcome = await attempt(server.port);
  await expect.poll(() => server.open(), { timeout: 2_000 }).toBe(0);
  return outcome;
}

function every(ms: number, socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), ms);
  socket.once('close', () => clearInterval(timer));
}

describe('receivers that take their time', () => {
  it('hangs before the headers', async () => {
    const outcome = await attemptAndLetGo(await serve(() => undefined));
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'ttfb' });
    expect(outcome.phasesMs.total).toBeLessThan(DEADLINE_MS);
  });

  it('hangs after the status line, which is not yet an answer', async () => {
    const outcome = await attemptAndLetGo(await serve((socket) => socket.write('HTTP/1.1 200 OK\r\nX-A: b\r\n')));
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'ttfb' });
  });

  it('hangs after the headers: the status line stands', async () => {
    const outcome = await attemptAndLetGo(
      await serve((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')),
    );
    expect(outcome).toMatchObject({ kind: 'response', status: 200, bodyComplete: false, bodyHead: 'abc' });
    expect(outcome.phasesMs.total).toBeGreaterThanOrEqual(DEADLINE_MS - 20);
  });

  it('drips its body for ever', async () => {
    const server = await serve((socket) => {
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n');
      every(100, socket, 'x');
    });
    const outcome = await attemptAndLetGo(server);
    expect(outcome).toMatchObject({ kind: 'response', status: 503, bodyComplete: false });
    expect(outcome.responseBytes).toBeGreaterThan(2);
  });

  it('drips its headers for ever', async () => {
    const server = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      every(100, socket, 'X-A: b\r\n');
    });
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'ttfb' });
  });

  it('sends early hints for ever', async () => {
    const server = await serve((socket) => every(20, socket, 'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n'));
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'ttfb' });
  });

  it('does not take the connection', async () => {
    // A stopped process with a full backlog: the kernel drops what else comes, as a firewall would.
    const source =
      "const s=require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>{console.log(s.address().port);process.kill(process.pid,'SIGSTOP')})";
    const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanup.push(() => void child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(line.toString());
    const fillers = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    cleanup.push(() => fillers.forEach((socket) => socket.destroy()));
    await expect.poll(() => fillers.filter((socket) => !socket.connecting).length).toBeGreaterThanOrEqual(2);
    const outcome = await attempt(port);
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'connect' });
    expect(outcome.phasesMs.total).toBeLessThan(DEADLINE_MS);
  });
});

describe('receivers that send too much', () => {
  it('1 GiB of body: reading stops at the cap, memory stays flat', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let sentBytes = 0;
    const server = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
      const source = new Readable({
        read() {
          sentBytes += chunk.length;
          this.push(chunk);
        },
      });
      socket.once('close', () => source.destroy());
      source.pipe(socket);
    });
    const before = process.memoryUsage().arrayBuffers;
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      const outcome = await attemptAndLetGo(server);
      expect(outcome).toMatchObject({ kind: 'response', status: 200, bodyComplete: false });
      expect(outcome.bodyHead).toBe('x'.repeat(4_096));
      expect(outcome.responseBytes).toBeLessThanOrEqual(16 * 1024 + 64 * 1024);
    }
    expect(sentBytes / rounds).toBeLessThan(16 * 2 ** 20);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });

  it('a gzip bomb is not opened', async () => {
    const bomb = gzipSync(Buffer.alloc(8 * 2 ** 20));
    expect(bomb.length).toBeLessThan(16 * 1024);
    const server = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
      socket.write(bomb);
    });
    expect(await attempt(server.port)).toMatchObject({
      status: 200,
      bodyHead: '(gzip, not decompressed)',
      responseBytes: bomb.length,
      bodyComplete: true,
    });
  });

  it('a head larger than 16 KiB is not HTTP to us', async () => {
    const server = await serve((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\n${`X-Long: ${'y'.repeat(1_000)}\r\n`.repeat(40)}\r\n`),
    );
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', errorClass: 'protocol', phase: 'ttfb' });
  });

  it('cuts a character at the end of the kept head cleanly, and keeps no NUL', async () => {
    const server = await serve((socket) => socket.write(response('200 OK', `\0${'ü'.repeat(3_000)}`)));
    const outcome = await attempt(server.port);
    expect(outcome.bodyHead.startsWith('\u{fffd}üü')).toBe(true);
    expect(outcome.bodyHead.slice(1)).toMatch(/^ü+$/);
  });
});

describe('receivers that send elsewhere or away', () => {
  it.each([301, 302, 303, 304, 307, 308])('%i is never followed, not even to a private address', async (status) => {
    const victim = await serve((socket) => socket.write(response('200 OK')));
    const location = `Location: http://127.0.0.1:${victim.port}/latest/meta-data`;
    const server = await serve((socket) => socket.write(response(`${status} Moved`, '', [location])));
    const outcome = await attempt(server.port);
    expect(outcome).toMatchObject({ kind: 'response', status });
    expect(classifyOutcome(outcome)).toBe('misconfigured');
    expect(victim.accepted()).toBe(0);
    expect(server.requests).toHaveLength(1);
  });

  it('410 means gone', async () => {
    const server = await serve((socket) => socket.write(response('410 Gone', 'unsubscribed')));
    const outcome = await attempt(server.port);
    expect(outcome).toMatchObject({ status: 410, bodyHead: 'unsubscribed' });
    expect(classifyOutcome(outcome)).toBe('gone');
  });

  it('429 with seconds and with a date', async () => {
    const date = new Date(Date.now() + 90_000).toUTCString();
    const server = await serve((socket, index) =>
      socket.write(response('429 Slow down', '', [`Retry-After: ${index === 0 ? '120' : date}`])),
    );
    expect(await attempt(server.port)).toMatchObject({ status: 429, retryAfterMs: 120_000 });
    const { retryAfterMs } = await attempt(server.port);
    expect(retryAfterMs).toBeGreaterThan(85_000);
    expect(retryAfterMs).toBeLessThanOrEqual(90_000);
  });

  it('Retry-After on a success, or without sense, is nothing', async () => {
    const server = await serve((socket, index) =>
      socket.write(
        index === 0 ? response('200 OK', '', ['Retry-After: 9']) : response('503 No', '', ['Retry-After: soon']),
      ),
    );
    expect((await attempt(server.port)).retryAfterMs).toBeUndefined();
    expect((await attempt(server.port)).retryAfterMs).toBeUndefined();
  });
});

describe('receivers that break off', () => {
  it('is not there', async () => {
    const server = await rawServer(() => undefined);
    await server.close();
    expect(await attempt(server.port)).toMatchObject({ kind: 'error', errorClass: 'refused', phase: 'connect' });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['resets before an answer', (socket) => socket.resetAndDestroy()],
    ['closes before an answer', (socket) => socket.end()],
    ['closes within the headers', (socket) => socket.end('HTTP/1.1 200 OK\r\nX-A')],
  ])('%s', async (_name, answer) => {
    const server = await serve(answer);
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', errorClass: 'reset', phase: 'ttfb' });
    expect(server.requests).toHaveLength(1);
  });

  it.each<[string, string]>([
    ['closes within the body', 'HTTP/1.1 204 OK\r\nContent-Length: 100\r\n\r\nabc'],
    ['breaks its chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n'],
    ['sends another response than asked for', `${response('200 OK', 'a')}HTTP/1.1 500 Error\r\n\r\n`],
  ])('%s after a success: it is a success', async (_name, text) => {
    const outcome = await attemptAndLetGo(await serve((socket) => socket.end(text)));
    expect(outcome.kind).toBe('response');
    expect(classifyOutcome(outcome)).toBe('success');
  });
});

describe('receivers that do not speak HTTP', () => {
  it.each<[string, string]>([
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an HTTP/0.9 answer', '<html>hello</html>'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a control character in a header', 'HTTP/1.1 200 OK\r\nX-A: a\x01b\0c\r\nContent-Length: 0\r\n\r\n'],
    ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    [
      'length and chunks at once',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
  ])('%s', async (_name, text) => {
    const outcome = await attemptAndLetGo(await serve((socket) => socket.write(text)));
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'protocol', phase: 'ttfb' });
    expect(classifyOutcome(outcome)).toBe('retry');
  });

  it('switches protocols unasked', async () => {
    const server = await serve((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    );
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', phase: 'ttfb' });
  });

  it('says 100 Continue though nobody asked whether to', async () => {
    const server = await serve((socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${response('200 OK')}`));
    expect(await attemptAndLetGo(server)).toMatchObject({ kind: 'error', phase: 'ttfb' });
  });

  it('puts a second answer on a connection that is kept: it is not taken for the next request’s', async () => {
    const server = await serve((socket, index) => {
      socket.write(response('200 OK', `answer ${index}`));
      setTimeout(() => socket.write(response('500 Smuggled')), 20);
    });
    const sender = new Sender({ egress: EgressPolicy.parse('loopback') });
    cleanup.push(() => sender.close());
    const send = () => sender.send({ url: `http://127.0.0.1:${server.port}/`, headers: {}, body: Buffer.from('{}') });
    expect(await send()).toMatchObject({ status: 200, bodyHead: 'answer 0' });
    await expect.poll(() => sender.stats.idle).toBe(0);
    expect(await send()).toMatchObject({ status: 200, bodyHead: 'answer 1', reused: false });
  });
});
