import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, systemClock } from '@tocsin/platform';
import { type EventStreamTimes, writeEventStream } from './event-stream.js';
import type { TailStep } from './live-tail.js';

const logger = createLogger({ name: 'test', level: 'silent' });
let server: Server | undefined;

afterEach(() => server?.closeAllConnections());

function step(position: number, data: string): TailStep {
  const time = '2030-01-01T00:00:00.000Z';
  const event = {
    id: `e${position}`,
    source: 's',
    type: 'com.acme.a',
    subject: 'x',
    time,
    position,
    version: position,
    recordedAt: time,
    extensions: {},
  };
  return { events: [{ event, json: JSON.stringify({ id: event.id, data }) }], position };
}

/** Serves `steps` to one reader and tells how the writer ended. */
async function serve(steps: AsyncIterable<TailStep>, times: EventStreamTimes) {
  const ended = Promise.withResolvers<void>();
  const stop = new AbortController();
  const handle = (response: ServerResponse): void => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([stop.signal, gone.signal]);
    writeEventStream(response, steps, { clock: systemClock, logger, times, signal }).then(
      () => ended.resolve(),
      (error: unknown) => ended.reject(error),
    );
  };
  server = createServer((_request, response) => handle(response));
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, ended: ended.promise, stop };
}

async function* several(...steps: TailStep[]): AsyncGenerator<TailStep> {
  yield* steps;
}

describe('writeEventStream', () => {
  it('writes id, event and data of each event', async () => {
    const { url } = await serve(several(step(1, 'a\nb'), step(2, 'ü')), { heartbeatMs: 1e6, stallMs: 1e6 });
    expect(await (await fetch(url)).text()).toBe(
      'id: 1\nevent: com.acme.a\ndata: {"id":"e1","data":"a\\nb"}\n\n' +
        'id: 2\nevent: com.acme.a\ndata: {"id":"e2","data":"ü"}\n\n',
    );
  });

  it('writes a heartbeat with the position looked at when nothing matched for long, and not before', async () => {
    const idle: TailStep = { events: [], position: 9 };
    const quiet = await serve(several(idle, idle), { heartbeatMs: 1e6, stallMs: 1e6 });
    expect(await (await fetch(quiet.url)).text()).toBe('');
    const beating = await serve(several(idle), { heartbeatMs: 0, stallMs: 1e6 });
    expect(await (await fetch(beating.url)).text()).toBe(': heartbeat\nid: 9\n\n');
  });

  it('takes no further step while the reader takes nothing, and cuts it after the stall time', async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<TailStep> {
      for (;;) yield step(++taken, 'x'.repeat(256 * 1024));
    }
    const { port, ended } = await serve(endless(), { heartbeatMs: 1e6, stallMs: 300 });
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await ended;
    const atStall = taken;
    // What the sockets of both sides buffer is megabytes, not the hundreds a second that an unbounded writer would take.
    expect(atStall).toBeLessThan(100);
    socket.resume();
    socket.on('error', () => undefined);
    await closed;
    expect(taken).toBe(atStall);
  });

  it('breaks the connection when the log cannot be read, so that the reader resumes', async () => {
    async function* broken(): AsyncGenerator<TailStep> {
      yield step(1, 'a');
      throw new Error('connection lost');
    }
    const { url } = await serve(broken(), { heartbeatMs: 1e6, stallMs: 1e6 });
    const response = await fetch(url);
    await expect(response.text()).rejects.toThrow();
  });
});
