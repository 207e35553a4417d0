import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { Finding, VerifyProgress } from '@tocsin/event-store';
import type { Logger } from '@tocsin/platform';
import type { StreamFinding, StreamStep } from './stream-comparison.js';

/** Where the relayed copy stands; absent on a recorder that does not lead. */
export interface RelayStanding {
  state: string;
  position: number;
}

/** What of the stream was compared with the log; or why none of it was, which is no finding: the log stands by itself. */
export type StreamStanding = { first: number; last: number } | { skipped: string };

/** A comparison of the stream about to begin. */
export interface StreamProof {
  /** What the stream retains. */
  first: number;
  last: number;
  steps: AsyncIterable<StreamStep>;
}

/**
 * One line of a verification under way, or the last one, which says how it ended. First the log is proved, then the stream, whose lines
 * have `of`: `first` and `head` are the stream's then.
 */
export type VerifyLine =
  | { of?: 'stream'; position: number; first: number; head: number; findings: (Finding | StreamFinding)[] }
  | {
      done: true;
      ok: boolean;
      first: number;
      head: number;
      findings: number;
      relay?: RelayStanding;
      stream: StreamStanding;
    }
  | { done: true; ok: false; error: { code: string; detail: string } };

/** What a {@link LogVerifier} works with. */
export interface VerifierParts {
  proof(options: { signal: AbortSignal }): AsyncIterable<VerifyProgress>;
  /** Begins to compare the relayed stream with the log; undefined where there is no stream. */
  stream(options: { signal: AbortSignal }): Promise<StreamProof | undefined>;
  relay(): RelayStanding | undefined;
  logger: Logger;
}

/** Proves the log and its relayed copy for a caller, step by step. One proof at a time: it reads everything. */
export class LogVerifier {
  #running = false;

  constructor(private readonly parts: VerifierParts) {}

  /**
   * Verifies and hands every line to `write`, waiting for it; an error on the way is the last line.
   * @throws TocsinError `TCN_OVERLOADED` while another verification runs, before any line
   */
  async run(signal: AbortSignal, write: (line: VerifyLine) => Promise<void>): Promise<void> {
    if (this.#running) {
      throw new TocsinError('TCN_OVERLOADED', 'the log is being verified already', { retryAfterMs: 10_000 });
    }
    this.#running = true;
    try {
      for await (const line of this.#lines(signal)) await write(line);
    } finally {
      this.#running = false;
    }
  }

  async *#lines(signal: AbortSignal): AsyncGenerator<VerifyLine, void, undefined> {
    let first = 1;
    let head = 0;
    let findings = 0;
    try {
      for await (const step of this.parts.proof({ signal })) {
        ({ first, head } = step);
        findings += step.findings.length;
        yield step;
      }
      let stream: StreamStanding = { skipped: 'there is no stream' };
      for await (const step of this.#streamLines(signal)) {
        if ('standing' in step) {
          stream = step.standing;
          continue;
        }
        findings += step.findings.length;
        yield step;
      }
      const relay = this.parts.relay();
      const ok = findings === 0;
      yield { done: true, ok, first, head, findings, ...(relay === undefined ? {} : { relay }), stream };
    } catch (error) {
      if (signal.aborted) return;
      this.parts.logger.error({ err: error }, 'the proof of the log broke off');
      const code = error instanceof TocsinError ? error.code : 'TCN_INTERNAL';
      const detail =
        error instanceof TocsinError ? error.message : 'the proof broke off; the log of the service says why';
      yield { done: true, ok: false, error: { code, detail } };
    }
  }

  /** The broker may be away at any time; what has been found until then stands. */
  async *#streamLines(
    signal: AbortSignal,
  ): AsyncGenerator<Extract<VerifyLine, { position: number }> | { standing: StreamStanding }, void, undefined> {
    try {
      const proof = await this.parts.stream({ signal });
      if (proof === undefined) return;
      const { first, last, steps } = proof;
      for await (const { position, findings } of steps) {
        yield { of: 'stream', position, first, head: last, findings };
      }
      yield { standing: { first, last } };
    } catch (error) {
      if (!isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_TIMEOUT')) throw error;
      yield { standing: { skipped: error.message } };
    }
  }
}
