import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Controller, Get, Res } from '@nestjs/common';
import { RequireRole } from '@tocsin/platform';
import { LogVerifier } from './log-verifier.js';

/** Proves the log over HTTP. */
@RequireRole('admin')
@Controller('v1/log')
export class VerifyController {
  constructor(private readonly verifier: LogVerifier) {}

  /**
   * Newline-delimited JSON while the proof goes on, `VerifyLine` each; the last has `done`. A caller that goes ends the proof.
   */
  @Get('verify')
  async verify(@Res() response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await this.verifier.run(gone.signal, async (line) => {
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' });
      }
      if (gone.signal.aborted) return;
      const taken = response.write(`${JSON.stringify(line)}\n`);
      if (!taken) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
    });
    response.end();
  }
}
