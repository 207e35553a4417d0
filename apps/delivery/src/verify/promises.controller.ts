import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { type Logger, RequireRole } from '@tocsin/platform';
import { type PromiseLine, type PromiseSources, verifyPromises } from './verify-promises.js';

/** Injects the {@link PromiseProof} of the process. */
export const PROMISE_PROOF = Symbol('what the promises are checked against');

/** What the controller works with. */
export interface PromiseProof extends PromiseSources {
  logger: Logger;
}

/** Checks the promises over HTTP. One proof at a time: it reads everything. */
@Controller('v1/promises')
@RequireRole('admin')
export class PromisesController {
  #running = false;

  constructor(@Inject(PROMISE_PROOF) private readonly proof: PromiseProof) {}

  /** Newline-delimited JSON while the proof goes on, {@link PromiseLine} each; the last has `done`. A caller that goes ends the proof. */
  @Get()
  async verify(@Res() response: ServerResponse): Promise<void> {
    if (this.#running) {
      throw new TocsinError('TCN_OVERLOADED', 'the promises are being checked already', { retryAfterMs: 10_000 });
    }
    this.#running = true;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' });
      for await (const line of this.#lines(gone.signal)) {
        if (gone.signal.aborted) return;
        const taken = response.write(`${JSON.stringify(line)}\n`);
        if (!taken) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
      }
      response.end();
    } finally {
      this.#running = false;
    }
  }

  /** What breaks it off is its last line: the head of the answer is on its way already. */
  async *#lines(
    signal: AbortSignal,
  ): AsyncGenerator<PromiseLine | { done: true; ok: false; error: { code: string; detail: string } }, void, void> {
    try {
      yield* verifyPromises(this.proof, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.proof.logger.error({ err: error }, 'the proof of the promises broke off');
      const known = isTocsinError(error);
      const detail = known ? error.message : 'the proof broke off; the log of the service says why';
      yield { done: true, ok: false, error: { code: known ? error.code : 'TCN_INTERNAL', detail } };
    }
  }
}
