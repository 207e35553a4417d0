import { TocsinError } from '@tocsin/domain';
import type { Finding, VerifyProgress } from '@tocsin/event-store';
import type { Logger } from '@tocsin/platform';

/** Where the relayed copy stands; absent on a recorder that does not lead. */
export interface RelayStanding {
  state: string;
  position: number;
}

/** One line of a verification under way, or the last one, which says how it ended. */
export type VerifyLine =
  | { position: number; first: number; head: number; findings: Finding[] }
  | { done: true; ok: boolean; first: number; head: number; findings: number; relay?: RelayStanding }
  | { done: true; ok: false; error: { code: string; detail: string } };

/** Proves the log for a caller, step by step. One proof at a time: it reads everything. */
export class LogVerifier {
  #running = false;

  constructor(
    private readonly proof: (options: { signal: AbortSignal }) => AsyncIterable<VerifyProgress>,
    private readonly relay: () => RelayStanding | undefined,
    private readonly logger: Logger,
  ) {}

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
      for await (const step of this.proof({ signal })) {
        ({ first, head } = step);
        findings += step.findings.length;
        yield step;
      }
      const relay = this.relay();
      yield { done: true, ok: findings === 0, first, head, findings, ...(relay === undefined ? {} : { relay }) };
    } catch (error) {
      if (signal.aborted) return;
      this.logger.error({ err: error }, 'the proof of the log broke off');
      const code = error instanceof TocsinError ? error.code : 'TCN_INTERNAL';
      const detail =
        error instanceof TocsinError ? error.message : 'the proof broke off; the log of the service says why';
      yield { done: true, ok: false, error: { code, detail } };
    }
  }
}
