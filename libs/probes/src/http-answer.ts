import type { Socket } from 'node:net';
import { ChunkedBody } from './chunked-body.js';
import { NotHttp } from './not-http.js';

/** As much of a body is read as any honest health page needs. */
const MAX_BODY_BYTES = 64 * 1024;
/** And as many header bytes, so that no target fills the observer's memory. */
const MAX_HEADER_BYTES = 64 * 1024;

const VERSION = Buffer.from('HTTP/1.');
const END_OF_HEAD = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/;
/** Field lines as RFC 9110 § 5 has them: a token, a colon, and a value of anything but line ends and NUL. */
const FIELD_LINES = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*$/;
const LENGTH = /^content-length:[ \t]*(.*?)[ \t]*\r$/gim;
const CODING = /^transfer-encoding:[ \t]*(.*?)[ \t]*\r$/gim;

const NONE: readonly string[] = [];

/** Status and the first 64 KiB of the body. */
export interface HttpAnswer {
  status: number;
  body: Buffer;
}

/** How the end of a body shows: RFC 9112 § 6.3. */
type Framing = { kind: 'none' } | { kind: 'length'; left: number } | { kind: 'chunked' } | { kind: 'close' };

/**
 * Reads one answer from a connection of its own, to its end or to as much as is looked at. A client for one request needs little of
 * what `node:http` does, which costs several times the request itself.
 */
export class AnswerReader {
  readonly #withoutBody: boolean;
  readonly #answer = Promise.withResolvers<HttpAnswer>();
  #pending: Buffer | undefined;
  #headBytes = 0;
  #status = 0;
  #framing: Framing | undefined;
  #chunked: ChunkedBody | undefined;
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;
  #over = false;

  /** @param method of the request; an answer to HEAD has no body whatever it says */
  constructor(method: string) {
    this.#withoutBody = method === 'HEAD';
  }

  /**
   * The answer, once it is whole or long enough.
   * @throws NotHttp; the connection's own error; one with code `ECONNRESET` where it ends before the answer does
   */
  read(socket: Socket): Promise<HttpAnswer> {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#ended());
    return this.#answer.promise;
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    try {
      const rest = this.#framing === undefined ? this.#head(chunk) : chunk;
      if (rest !== undefined && this.#framing !== undefined) this.#bodyPart(this.#framing, rest);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Reads heads until one is the last. @returns what follows it; undefined where it is not whole yet */
  #head(chunk: Buffer): Buffer | undefined {
    let bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (!bytes.subarray(0, VERSION.length).equals(VERSION.subarray(0, bytes.length))) {
        throw new NotHttp('HPE_INVALID_CONSTANT');
      }
      const end = bytes.indexOf(END_OF_HEAD);
      if (this.#headBytes + (end === -1 ? bytes.length : end) > MAX_HEADER_BYTES) {
        throw new NotHttp('HPE_HEADER_OVERFLOW');
      }
      if (end === -1) {
        this.#pending = bytes;
        return undefined;
      }
      const head = bytes.toString('latin1', 0, end + 2);
      bytes = bytes.subarray(end + END_OF_HEAD.length);
      this.#headBytes += head.length;
      const framing = this.#judgeHead(head);
      if (framing !== undefined) {
        this.#pending = undefined;
        this.#framing = framing;
        return bytes;
      }
    }
  }

  /** Undefined for an interim answer, which another follows. */
  #judgeHead(head: string): Framing | undefined {
    const line = STATUS_LINE.exec(head);
    if (line === null) throw new NotHttp('HPE_INVALID_STATUS');
    const fields = head.slice(line[0].length);
    if (!FIELD_LINES.test(fields)) throw new NotHttp('HPE_INVALID_HEADER_TOKEN');
    this.#status = Number(line[1]);
    if (this.#status < 200 && this.#status !== 101) return undefined;
    if (this.#withoutBody || this.#status === 101 || this.#status === 204 || this.#status === 304) {
      return { kind: 'none' };
    }
    const coding = valuesOf(CODING, fields).at(-1);
    if (coding !== undefined) return { kind: /(?:^|[ \t,])chunked$/i.test(coding) ? 'chunked' : 'close' };
    const lengths = valuesOf(LENGTH, fields);
    const [length] = lengths;
    if (length === undefined) return { kind: 'close' };
    if (lengths.some((other) => other !== length) || !/^\d{1,15}$/.test(length)) {
      throw new NotHttp('HPE_INVALID_CONTENT_LENGTH');
    }
    return { kind: 'length', left: Number(length) };
  }

  #bodyPart(framing: Framing, bytes: Buffer): void {
    switch (framing.kind) {
      case 'none':
        this.#finish();
        return;
      case 'length': {
        this.#keep(bytes.subarray(0, framing.left));
        framing.left -= Math.min(framing.left, bytes.length);
        if (framing.left === 0) this.#finish();
        return;
      }
      case 'chunked': {
        this.#chunked ??= new ChunkedBody((part) => this.#keep(part));
        if (this.#chunked.take(bytes)) this.#finish();
        return;
      }
      case 'close':
        this.#keep(bytes);
    }
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#body.push(part);
    this.#bodyBytes += part.length;
    if (this.#bodyBytes >= MAX_BODY_BYTES) this.#finish();
  }

  #ended(): void {
    // Every connection ends, most of them after their answer: no error is made for those.
    if (this.#over) return;
    if (this.#framing?.kind === 'close') {
      this.#finish();
      return;
    }
    const error: NodeJS.ErrnoException = new Error('the connection ended before the answer did');
    error.code = 'ECONNRESET';
    this.#fail(error);
  }

  #finish(): void {
    this.#over = true;
    const [only] = this.#body;
    const body = this.#body.length === 1 && only !== undefined ? only : Buffer.concat(this.#body, this.#bodyBytes);
    this.#answer.resolve({ status: this.#status, body: body.subarray(0, MAX_BODY_BYTES) });
  }

  #fail(error: unknown): void {
    this.#over = true;
    this.#answer.reject(error);
  }
}

/** In order. Most answers have each field once or not at all: that costs one search. */
function valuesOf(field: RegExp, fields: string): readonly string[] {
  field.lastIndex = 0;
  let found = field.exec(fields);
  if (found === null) return NONE;
  const values: string[] = [];
  for (; found !== null; found = field.exec(fields)) values.push(found[1] ?? '');
  return values;
}
