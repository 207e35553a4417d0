import { NotHttp } from './not-http.js';

const CR = 0x0d;
const LF = 0x0a;
/** Longest size line with its extensions, and longest line of a trailer: nobody sends as much. */
const MAX_LINE_BYTES = 8 * 1024;
/** Of all trailer lines together. */
const MAX_TRAILER_BYTES = 64 * 1024;
/** Hexadecimal digits of a size that is an exact number still. */
const SIZE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;|$)/;

/** Takes the chunks out of a body in chunked coding: RFC 9112 § 7.1. */
export class ChunkedBody {
  readonly #onPart: (part: Buffer) => void;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line = '';
  #left = 0;
  #trailerBytes = 0;

  /** @param onPart is given the content, piece by piece */
  constructor(onPart: (part: Buffer) => void) {
    this.#onPart = onPart;
  }

  /**
   * Takes what came next.
   * @returns is the body whole?
   * @throws NotHttp
   */
  take(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const part = bytes.subarray(at, at + this.#left);
        this.#onPart(part);
        this.#left -= part.length;
        at += part.length;
        if (this.#left === 0) this.#state = 'data-end';
      } else {
        const end = bytes.indexOf(LF, at);
        this.#line += bytes.toString('latin1', at, end === -1 ? bytes.length : end + 1);
        if (this.#line.length > MAX_LINE_BYTES) throw new NotHttp('HPE_INVALID_CHUNK_SIZE');
        if (end === -1) return false;
        at = end + 1;
        this.#endOfLine(this.#line);
        this.#line = '';
      }
    }
    return this.#state === 'done';
  }

  #endOfLine(line: string): void {
    if (line.charCodeAt(line.length - 2) !== CR) throw new NotHttp('HPE_CR_EXPECTED');
    const text = line.slice(0, -2);
    switch (this.#state) {
      case 'size': {
        const size = SIZE.exec(text)?.[1];
        if (size === undefined) throw new NotHttp('HPE_INVALID_CHUNK_SIZE');
        this.#left = Number.parseInt(size, 16);
        this.#state = this.#left === 0 ? 'trailer' : 'data';
        return;
      }
      case 'data-end':
        if (text !== '') throw new NotHttp('HPE_STRICT');
        this.#state = 'size';
        return;
      default:
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > MAX_TRAILER_BYTES) throw new NotHttp('HPE_HEADER_OVERFLOW');
        if (text === '') this.#state = 'done';
    }
  }
}
