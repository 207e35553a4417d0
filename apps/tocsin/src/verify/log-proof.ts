import type { ApiClient } from '@tocsin/client';
import { TocsinError } from '@tocsin/domain';
import { cell } from '../command-line/output.js';
import { linesOf } from './lines.js';

/** What of the broker's copy was compared, or why none of it was, which is no finding. */
type Stream = { first: number; last: number } | { skipped: string };

/** Something that does not hold. */
export interface LogFinding {
  kind: string;
  position?: number;
  detail?: string;
}

/** How the proof of the log ended. */
export interface LogVerdict {
  done: true;
  ok: boolean;
  first: number;
  head: number;
  findings: number;
  stream?: Stream;
}

/** How far it has come. */
export interface LogStep {
  position: number;
  head: number;
  findings: LogFinding[];
}

/** Lines of the log first, then those of the broker's copy. */
type ProofLine =
  (LogStep & { done?: undefined }) | LogVerdict | { done: true; ok: false; error: { code: string; detail: string } };

/**
 * Has the log proved by the server.
 * @param onStep told of every step, findings and all
 * @throws TocsinError where the proof did not come to its end
 */
export async function proveLog(client: Pick<ApiClient, 'open'>, onStep: (step: LogStep) => void): Promise<LogVerdict> {
  const response = await client.open('GET', '/v1/log/verify');
  for await (const text of linesOf(response.body ?? [])) {
    const line = JSON.parse(text) as ProofLine;
    if (line.done === undefined) {
      onStep(line);
      continue;
    }
    if ('error' in line) {
      throw new TocsinError('TCN_INTERNAL', `the proof broke off: ${line.error.code}: ${line.error.detail}`);
    }
    return line;
  }
  throw new TocsinError('TCN_UNAVAILABLE', 'the proof broke off: the connection ended before its last line');
}

/** A finding for people. */
export function findingText({ kind, position, detail }: LogFinding): string {
  const where = position === undefined ? '' : `position ${position}: `;
  return cell(`${where}${kind}${detail === undefined ? '' : `: ${detail}`}`);
}

/** What was proved, for people. */
export function logText({ ok, first, head, findings, stream }: Omit<LogVerdict, 'done'>): string {
  const range = head === 0 ? 'the log is empty' : `events ${first} to ${head}`;
  const copy = stream === undefined ? '' : `; ${streamText(stream)}`;
  return ok ? `${range}: nothing is missing, nothing was changed${copy}` : `${range}: ${findings} findings${copy}`;
}

function streamText(stream: Stream): string {
  if ('skipped' in stream) return `the broker's copy was not compared: ${cell(stream.skipped)}`;
  return `the broker has the same from ${stream.first} to ${stream.last}`;
}
