import { TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { cell, note, print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { linesOf } from './lines.js';

/** What of the broker's copy was compared, or why none of it was, which is no finding. */
type Stream = { first: number; last: number } | { skipped: string };

interface Finding {
  kind: string;
  position?: number;
  detail?: string;
}

/** The last line of a proof that went through. */
interface Verdict {
  done: true;
  ok: boolean;
  first: number;
  head: number;
  findings: number;
  stream?: Stream;
}

/** Lines of the log first, then those of the broker's copy. */
type ProofLine =
  | { done?: undefined; of?: 'stream'; position: number; first: number; head: number; findings: Finding[] }
  | Verdict
  | { done: true; ok: false; error: { code: string; detail: string } };

/** `tocsin verify log`: every event hashed again, every position accounted for. Exit code 1 if something does not hold. */
export async function verifyLog(options: ServerOptions & { json?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const response = await client.open('GET', '/v1/log/verify');
    const findings: Finding[] = [];
    for await (const text of linesOf(response.body ?? [])) {
      const line = JSON.parse(text) as ProofLine;
      if (line.done === undefined) {
        findings.push(...line.findings);
        if (options.json !== true) {
          for (const finding of line.findings) print(paint.red(findingText(finding)));
          if (process.stderr.isTTY) process.stderr.write(`\r${line.position} of ${line.head}\u001b[K`);
        }
        continue;
      }
      if (process.stderr.isTTY && options.json !== true) process.stderr.write('\r\u001b[K');
      if ('error' in line)
        throw new TocsinError('TCN_INTERNAL', `the proof broke off: ${line.error.code}: ${line.error.detail}`);
      if (options.json === true) printJson({ ...line, findings });
      else print(verdictText(line));
      if (!line.ok) process.exitCode = EXIT.failed;
      return;
    }
    throw new TocsinError('TCN_UNAVAILABLE', 'the proof broke off: the connection ended before its last line');
  });
  if (options.json !== true && process.exitCode === EXIT.failed) note('the log does not verify');
}

function findingText({ kind, position, detail }: Finding): string {
  const where = position === undefined ? '' : `position ${position}: `;
  return cell(`✘ ${where}${kind}${detail === undefined ? '' : `: ${detail}`}`);
}

function verdictText({ ok, first, head, findings, stream }: Verdict): string {
  const range = head === 0 ? 'the log is empty' : `events ${first} to ${head}`;
  const copy = stream === undefined ? '' : `; ${streamText(stream)}`;
  if (!ok) return `${paint.red('✘')} log: ${range}: ${findings} findings${copy}`;
  return `${paint.green('✔')} log: ${range}: nothing is missing, nothing was changed${copy}`;
}

function streamText(stream: Stream): string {
  if ('skipped' in stream) return `the broker's copy was not compared: ${cell(stream.skipped)}`;
  return `the broker has the same from ${stream.first} to ${stream.last}`;
}
