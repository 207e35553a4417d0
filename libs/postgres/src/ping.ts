import { setImmediate as afterPoll, setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

/**
 * Asks the connection for a sign of life.
 * @throws an error if it is broken or no answer comes within `timeoutMs`
 */
export async function ping(client: Client, timeoutMs: number): Promise<void> {
  const deadline = new AbortController();
  const answer = client.query('SELECT 1');
  // Whoever loses the race is still settled by somebody.
  answer.catch(() => undefined);
  const late = delay(timeoutMs, undefined, { signal: deadline.signal }).then(async () => {
    // A process that stood still finds its timers due before it has read what came meanwhile: the answer may be in the socket.
    await afterPoll();
    throw new Error(`Postgres did not answer within ${timeoutMs} ms`);
  });
  late.catch(() => undefined);
  try {
    await Promise.race([answer, late]);
  } finally {
    deadline.abort();
  }
}
