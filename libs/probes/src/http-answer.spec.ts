import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from './http-answer.js';

/** Reads what comes in these pieces, and the end of the connection after them unless `open`. */
function read(pieces: readonly (string | Buffer)[], options: { method?: string; open?: boolean } = {}) {
  const socket = new PassThrough();
  const answer = new AnswerReader(options.method ?? 'GET').read(socket as unknown as Socket);
  for (const piece of pieces) socket.write(piece);
  if (options.open !== true) socket.end();
  return answer.then(({ status, body }) => ({ status, body: body.toString() }));
}
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

describe('an answer in HTTP', () => {
  it.each([
    ['a length', `${OK}Content-Length: 2\r\n\r\nok`, 'ok'],
    ['a length it goes beyond', `${OK}content-length:2 \r\n\r\nok, and more`, 'ok'],
    ['the same length twice', `${OK}content-length: 2\r\nContent-Length: 2\r\n\r\nok`, 'ok'],
    ['no length, to the end of the connection', `${OK}\r\nok`, 'ok'],
    ['chunks', `${CHUNKED}3\r\nabc\r\nA;x="y"\r\n0123456789\r\n0\r\nExpires: 0\r\n\r\n`, 'abc0123456789'],
    [
      'chunks, whatever its length says',
      `${OK}content-length: 1\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
      'x',
    ],
    ['a coding that is not chunked', `${OK}transfer-encoding: gzip\r\n\r\nzzz`, 'zzz'],
    [
      'interim answers before it',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}\r\nok`,
      'ok',
    ],
    ['no reason', 'HTTP/1.0 200\r\n\r\nok', 'ok'],
  ])('with %s is read', async (_what, text, body) => {
    expect(await read([text])).toEqual({ status: 200, body });
  });

  it.each([
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n'],
    ['101', 'GET', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['200', 'HEAD', `${OK}content-length: 10\r\n\r\n`],
    ['200', 'GET', `${OK}content-length: 0\r\n\r\n`],
    ['200', 'GET', `${CHUNKED}0\r\n\r\n`],
  ])('that has no body is whole with its head: %s to %s', async (status, method, text) => {
    expect(await read([text], { method, open: true })).toEqual({ status: Number(status), body: '' });
  });

  it('is the same in whatever pieces it comes', async () => {
    const whole = Buffer.from(
      `HTTP/1.1 103 Early Hints\r\n\r\n${CHUNKED}5\r\nhello\r\n6;a\r\n world\r\n0\r\nx: y\r\n\r\n`,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: whole.length }), { maxLength: 12 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(
          await read(
            pieces.filter((piece) => piece.length > 0),
            { open: true },
          ),
        ).toEqual({
          status: 200,
          body: 'hello world',
        });
      }),
    );
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'HPE_INVALID_CONSTANT'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n', 'HPE_INVALID_CONSTANT'],
    ['a status that is none', 'HTTP/1.1 2xx OK\r\n\r\n', 'HPE_INVALID_STATUS'],
    ['a header field without a colon', `${OK}nonsense\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN'],
    ['a header field with a bare line end', `${OK}a: b\nc: d\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN'],
    ['two lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`, 'HPE_INVALID_CONTENT_LENGTH'],
    ['a length that is none', `${OK}content-length: -1\r\n\r\n`, 'HPE_INVALID_CONTENT_LENGTH'],
    ['a chunk without a size', `${CHUNKED}x\r\n`, 'HPE_INVALID_CHUNK_SIZE'],
    ['a chunk longer than it says', `${CHUNKED}1\r\nabc\r\n`, 'HPE_STRICT'],
    ['a line that never ends', `${CHUNKED}1${';'.repeat(10_000)}`, 'HPE_INVALID_CHUNK_SIZE'],
    ['endless header fields', `${OK}${'a: b\r\n'.repeat(20_000)}`, 'HPE_HEADER_OVERFLOW'],
    ['endless interim answers', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(5_000), 'HPE_HEADER_OVERFLOW'],
    ['an endless trailer', `${CHUNKED}0\r\n${'a: b\r\n'.repeat(20_000)}`, 'HPE_HEADER_OVERFLOW'],
  ])('is none with %s', async (_what, text, code) => {
    await expect(read([text], { open: true })).rejects.toMatchObject({ code });
  });

  it.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent'],
    ['half a body', `${OK}content-length: 10\r\n\r\nabc`],
    ['half its chunks', `${CHUNKED}5\r\nhello\r\n`],
    ['an interim answer alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('breaks off after %s', async (_what, text) => {
    await expect(read(text === '' ? [] : [text])).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is read no further than 64 KiB', async () => {
    const { body } = await read([`${OK}\r\n`, 'x'.repeat(200_000)], { open: true });
    expect(body).toHaveLength(64 * 1024);
    const chunk = `4000\r\n${'y'.repeat(0x4000)}\r\n`;
    expect((await read([CHUNKED, chunk.repeat(9)], { open: true })).body).toHaveLength(64 * 1024);
  });
});
