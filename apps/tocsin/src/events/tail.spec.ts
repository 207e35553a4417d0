import type { ApiClient } from '@tocsin/client';
import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { readEventStream, type StreamBlock } from './event-stream.js';
import { tailEvents } from './tail.js';

const bytes = (text: string) => new TextEncoder().encode(text);

async function blocks(...pieces: Uint8Array[]): Promise<StreamBlock[]> {
  async function* chunks() {
    yield* pieces;
  }
  const found: StreamBlock[] = [];
  for await (const block of readEventStream(chunks())) found.push(block);
  return found;
}

describe('Server-Sent Events', () => {
  const TEXT = 'id: 7\nevent: x\ndata: {"a":\ndata: "ü"}\n\n: heartbeat\nid: 9\n\n';
  const EXPECTED = [
    { id: '7', data: '{"a":\n"ü"}' },
    { id: '9', data: undefined },
  ];

  it('are the same in one piece and byte by byte', async () => {
    const all = bytes(TEXT);
    expect(await blocks(all)).toEqual(EXPECTED);
    expect(await blocks(...Array.from(all, (byte) => Uint8Array.of(byte)))).toEqual(EXPECTED);
  });

  it('may end their lines in any of the three ways', async () => {
    expect(await blocks(bytes(TEXT.replaceAll('\n', '\r\n')))).toEqual(EXPECTED);
    expect(await blocks(bytes(`${TEXT.replaceAll('\n', '\r')}:\n`))).toEqual(EXPECTED);
  });

  it('keep their last id, and drop what is not finished', async () => {
    expect(await blocks(bytes('id: 1\n\ndata: a\n\ndata: b\n'))).toEqual([
      { id: '1', data: undefined },
      { id: '1', data: 'a' },
    ]);
  });
});

/** A server that gives one prepared answer a connection. */
class Server implements Pick<ApiClient, 'open'> {
  readonly lastIds: (string | undefined)[] = [];

  constructor(private readonly answers: (string | TocsinError)[]) {}

  async open(
    _method: string,
    _path: string,
    options?: { headers?: Readonly<Record<string, string>> },
  ): Promise<Response> {
    this.lastIds.push(options?.headers?.['last-event-id']);
    const answer = this.answers.shift() ?? new TocsinError('TCN_FORBIDDEN', 'that was all');
    if (typeof answer !== 'string') throw answer;
    return new Response(answer);
  }
}

const block = (position: number) => `id: ${position}\ndata: ${JSON.stringify({ position })}\n\n`;

async function tailed(server: Server, count: number): Promise<{ positions: number[]; said: string[] }> {
  const said: string[] = [];
  const positions: number[] = [];
  const events = tailEvents(server, {
    after: 3,
    signal: new AbortController().signal,
    onLost: (error) => said.push(`lost: ${error.code}`),
    onBack: () => said.push('back'),
  });
  for await (const { position } of events) {
    positions.push(position);
    if (positions.length === count) break;
  }
  return { positions, said };
}

describe('following the log', () => {
  it('goes on after a lost connection where it was, and says so', async () => {
    const gone = new TocsinError('TCN_UNAVAILABLE', 'nothing answers there');
    const server = new Server([block(4) + block(5), gone, block(6)]);
    expect(await tailed(server, 3)).toEqual({ positions: [4, 5, 6], said: ['lost: TCN_UNAVAILABLE', 'back'] });
    expect(server.lastIds).toEqual(['3', '5', '5']);
  });

  it('goes on from where the server had looked, also where nothing matched', async () => {
    const server = new Server([`${block(4)}: heartbeat\nid: 90\n\n`, block(91)]);
    expect((await tailed(server, 2)).positions).toEqual([4, 91]);
    expect(server.lastIds).toEqual(['3', '90']);
  });

  it('shows nothing twice, whatever a server repeats', async () => {
    const server = new Server([block(4) + block(5), block(4) + block(5) + block(6)]);
    expect((await tailed(server, 3)).positions).toEqual([4, 5, 6]);
  });

  it('fails at once where the first connection does not come about', async () => {
    const server = new Server([new TocsinError('TCN_UNAVAILABLE', 'nothing answers there')]);
    await expect(tailed(server, 1)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });

  it('fails where it is refused for good', async () => {
    const server = new Server([block(4), new TocsinError('TCN_UNAUTHENTICATED', 'who are you?')]);
    await expect(tailed(server, 2)).rejects.toMatchObject({ code: 'TCN_UNAUTHENTICATED' });
  });

  it('takes a connection for dead that says nothing', async () => {
    const silent: Pick<ApiClient, 'open'> = {
      open: (() => {
        let calls = 0;
        return async (_method: string, _path: string, options: { signal?: AbortSignal } = {}) => {
          calls += 1;
          if (calls > 1) return new Response(block(4));
          const body = new ReadableStream({
            start: (controller) =>
              options.signal?.addEventListener('abort', () =>
                controller.error(new TocsinError('TCN_UNAVAILABLE', 'aborted')),
              ),
          });
          return new Response(body);
        };
      })(),
    };
    const events = tailEvents(silent, {
      after: 3,
      signal: new AbortController().signal,
      silenceMs: 20,
      onLost: () => undefined,
      onBack: () => undefined,
    });
    expect((await events.next()).value).toEqual({ position: 4 });
    await events.return();
  });
});
