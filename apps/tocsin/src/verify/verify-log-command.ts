import { TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { cell, note, print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { linesOf } from './lines.js';

interface Finding {
  kind: string;
  position?: number;
  detail?: string;
}

type ProofLine =
  | { done?: undefined; position: number; first: number; head: number; findings: Finding[] }
  | {
      done: true;
      ok: boolean;
      first: number;
      head: number;
      findings: number;
      relay?: { state: string; position: number };
    }
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
  return cell(
    `✘ ${position === undefined ? '' : `position ${position}: `}${kind}${detail === undefined ? '' : `: ${detail}`}`,
  );
}

function verdictText(line: {
  ok: boolean;
  first: number;
  head: number;
  findings: number;
  relay?: { position: number };
}): string {
  const relay = line.relay === undefined ? '' : `; the broker has it up to ${line.relay.position}`;
  const range = line.head === 0 ? 'the log is empty' : `events ${line.first} to ${line.head}`;
  if (!line.ok) return `${paint.red('✘')} log: ${range}: ${line.findings} findings${relay}`;
  return `${paint.green('✔')} log: ${range}: nothing is missing, nothing was changed${relay}`;
}
