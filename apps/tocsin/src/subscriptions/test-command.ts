import type { TestReply } from '@tocsin/contracts';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { oneLine } from '../command-line/table.js';
import { withClient } from '../server/connection.js';

/** An attempt may take 15 s, and what is around it as long. Milliseconds. */
const PATIENCE_MS = 45_000;

/** `tocsin subscriptions test`: exit code 1 where the receiver did not take it. */
export async function testSubscription(name: string, options: ServerOptions & { json?: boolean }): Promise<void> {
  const answer = await withClient(options, async (client) => {
    const path = `/v1/subscriptions/${encodeURIComponent(name)}/test`;
    const response = await client.open('POST', path, { timeoutMs: PATIENCE_MS });
    return (await response.json()) as TestReply;
  });
  if (options.json === true) printJson(answer);
  else for (const line of answerLines(answer)) print(line);
  if (!answer.recorded) note('the answer is not in the log: it did not take it');
  if (!answer.delivered) process.exitCode = EXIT.failed;
}

/** How a receiver took a test, for people. */
export function answerLines(answer: TestReply): string[] {
  const { name, delivered, status, errorClass, detail, step, phasesMs, position, webhookId, address, bodyHead } =
    answer;
  const { total, ...phases } = phasesMs;
  const said = status === undefined ? [errorClass, detail].filter(Boolean).join(': ') : `HTTP ${status}`;
  const where = step === undefined ? '' : ` at the request "${step}"`;
  const parts = Object.entries(phases).map(([phase, ms]) => `${phase} ${ms}`);
  const took = total === undefined ? '' : ` in ${total} ms${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
  const head = delivered
    ? `${paint.green('✔')} ${name} took the test`
    : `${paint.red('✘')} ${name} did not take the test`;
  return [
    `${head}: ${oneLine(said)}${where}${took}`,
    ...(delivered ? [] : [`  for an event this would mean: ${MEANINGS[answer.outcome] ?? answer.outcome}`]),
    `  event ${position}, ${webhookId}${address === undefined ? '' : `, ${address}`}`,
    ...(bodyHead === ''
      ? []
      : [
          '',
          ...bodyHead
            .trimEnd()
            .split('\n')
            .map((line) => `  ${oneLine(line)}`),
        ]),
  ];
}

const MEANINGS: Readonly<Record<string, string>> = {
  retry: 'it is tried again, over 70 hours',
  'retry-limited': 'it is tried again ten times, and then given up',
  dead: 'it is given up at once',
  gone: 'the subscription is disabled',
  misconfigured: 'it is tried again; a redirect is never followed',
  auth: 'it is tried again; the receiver does not know who asks',
  blocked: 'nothing is sent, and the subscription is disabled if that stays so',
  interrupted: 'nothing: this process was stopping',
};
